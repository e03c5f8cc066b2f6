"""Events read by cursor, while nodes write at once."""

import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from budget.domain.cursors import decode, pack
from budget.domain.errors import InvalidInput
from budget.domain.events import KINDS, TOPIC_OF, TOPICS, TYPES, Filter
from budget.domain.windows import to_rfc3339
from budget.engine.budget import Budget as Books
from budget.engine.events import reading
from budget.engine.events.feed import Feed, News
from budget.engine.events.reading import newest
from budget.engine.snapshots import snapshot
from budget.prices.book import PriceBook
from tests.engine.conftest import migrate
from tests.support.databases import PostgresDatabases

LATE = 15
RESUMES = 100


def test_every_kind_is_of_one_topic_and_every_topic_has_a_type_of_frame() -> None:
    assert sum(map(len, TOPICS.values())) == len(KINDS) == len(TOPIC_OF)
    assert TYPES.keys() == TOPICS.keys()


@contextmanager
def node(url: str, stop: threading.Event) -> Iterator[None]:
    """A process's books, on which two callers write until they are stopped."""
    with Books.open(url, prices=PriceBook(None), sweep=False) as books:

        def write() -> None:
            while not stop.is_set():
                books.record_usage(requests=1)

        callers = [threading.Thread(target=write) for _ in range(2)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            stop.set()
            for caller in callers:
                caller.join()


def commit_late(url: str, books: Books) -> None:
    """Entries of transactions that begin before others, and are committed after them."""
    with psycopg.connect(url) as connection:
        for at in range(LATE):
            (xid,) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or (
                0,
            )
            (epoch,) = connection.execute("SELECT epoch FROM state").fetchone() or (0,)
            connection.execute(
                "INSERT INTO entries (id, at_us, kind, actor, legs, detail)"
                " VALUES (%s, 0, 'released', 'late', '[]', '{}')",
                (pack(epoch, xid, 0),),
            )
            for _ in range(1 + at % 3):  # they are decided and committed meanwhile
                books.record_usage(requests=1)
            connection.commit()


def all_ids(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM entries ORDER BY id")]


@pytest.fixture
def url(postgres_databases: PostgresDatabases) -> str:
    return postgres_databases.new(migrate)


def test_a_reader_who_resumes_at_random_cursors_sees_every_event_of_two_nodes_once_in_order(
    url: str,
) -> None:
    stop = threading.Event()
    drawn = random.Random(4)
    with Books.open(url, prices=PriceBook(None), sweep=False) as books:
        with node(url, stop), node(url, stop):
            late = threading.Thread(target=commit_late, args=(url, books))
            late.start()
            seen: list[int] = []
            resumes = 0
            while resumes < RESUMES or late.is_alive():
                # From a random event that was seen, and what comes after must be as it was seen.
                kept = drawn.randrange(len(seen) + 1)
                after = None if not kept else f"ent_{seen[kept - 1]:016x}"
                again: list[int] = []
                while items := books.events(after=after, limit=drawn.randint(50, 1000)).items:
                    again += [event.cursor for event in items]
                    after = f"ent_{again[-1]:016x}"
                    if len(again) > len(seen) - kept:
                        break
                assert again[: len(seen) - kept] == seen[kept:], "what was read has changed"
                seen = seen[:kept] + again
                resumes += 1
            late.join()
        while items := books.events(after=f"ent_{seen[-1]:016x}", limit=1000).items:
            seen += [event.cursor for event in items]
        assert seen == all_ids(url)
        assert len(set(seen)) == len(seen)
        assert len(books.events(kind="released", limit=1000).items) == LATE


def test_a_feed_hears_every_event_of_two_nodes_once_and_in_order(url: str) -> None:
    stop = threading.Event()
    heard: list[int] = []

    def tell(news: News) -> None:
        heard.extend(happened.event.cursor for happened in news.happened)

    with Books.open(url, prices=PriceBook(None), sweep=False) as books:
        books.record_usage(requests=1)
        with closing(Feed(books.books, tell, lambda: False)) as feed:
            began = newest(books.books.database)
            feed.start(began)
            with node(url, stop), node(url, stop):
                commit_late(url, books)
            last = all_ids(url)[-1]
            while not heard or heard[-1] < last:
                threading.Event().wait(0.01)
        assert heard == [one for one in all_ids(url) if one > began]


def test_events_of_a_time_are_those_from_it_on_and_before_its_end(light: Books) -> None:
    for _ in range(4):
        light.allocate(requests=1)
    told = [one for one in light.events().items if one.kind == "placed"]
    first, second, third, _ = (to_rfc3339(one.at_us) for one in told)
    page = light.events(kind="placed", since=second, until=third)
    assert [one.cursor for one in page.items] == [
        one.cursor for one in told if second <= to_rfc3339(one.at_us) < third
    ]
    assert told[0] not in light.events(since=second).items or first == second
    assert light.events(until="2020-01-01T00:00:00Z").items == []


def test_refusals_are_found_by_an_index_however_long_the_journal_is(light: Books) -> None:
    wanted = Filter(frozenset({"refused"}))
    statement = reading.statement_of(-1, 10, wanted, span=(1, 2))
    told = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with snapshot(light.books.database) as connection:
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {told}")).all()
    assert "USING INDEX ix_entries_refused" in str(plan)


@pytest.mark.parametrize("field", ["since", "until"])
def test_a_time_that_is_none_is_named(light: Books, field: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field}: must be an RFC 3339"):
        cast("Any", light).events(**{field: "yesterday"})


def test_a_commit_wakes_the_feed_and_nobody_is_woken_once_it_is_closed(light: Books) -> None:
    news: Any = threading.Semaphore(0)
    feed = Feed(light.books, lambda _: news.release(), lambda: False)
    feed.start(newest(light.books.database))
    light.allocate(requests=1)
    assert news.acquire(timeout=20)
    feed.close()
    light.allocate(requests=1)
    assert not news.acquire(blocking=False)
    cursor = light.events().next_cursor
    assert cursor is not None
    assert decode(cursor) == newest(light.books.database)

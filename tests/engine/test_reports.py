"""Reports: what readers see, page by page and in one moment, on both engines."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from budget.domain.answers import Allocation, Event, UsageRecord
from budget.domain.answers_alerts import Alert
from budget.domain.answers_pages import Page
from budget.domain.cursors import encode, pack, unpack
from budget.domain.errors import BudgetError, InvalidInput, NotFound, Unavailable
from budget.domain.usage import Usage
from budget.domain.windows import Window
from budget.engine import reports
from budget.engine.budget import Budget as Books
from budget.engine.events.reading import events
from budget.storage.database import open_database
from tests.engine.conftest import migrate
from tests.engine.opened import (
    DAY,
    HOUR,
    MILLI,
    MINUTE,
    USD,
    Clock,
    allocated,
    refused,
    us,
)  # fmt: skip
from tests.support.databases import PostgresDatabases, SqliteDatabases

CALL: dict[str, Any] = {"model": "m", "input_tokens": 100, "max_output_tokens": 50}
"""A call that holds 0.2 USD (100 x 0.001 and 50 x 0.002) and 150 tokens."""


def a_budget(books: Books, name: str = "Team", *, period: str = "daily", **more: Any) -> str:
    """A budget of 10 USD a day unless said otherwise; its id."""
    policy: Any = {"unit": "usd", "period": period, "limit": "10"}
    return books.create_budget(name=name, policies=[policy], **more).budget_id


def pages(read: Callable[..., Page[Any]], **ask: Any) -> Iterator[Page[Any]]:
    """Every page of a list, following its cursors."""
    cursor = None
    while True:
        page = read(cursor=cursor, **ask)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


# --- Pages ---------------------------------------------------------------------------------------


def test_pages_have_every_item_once_in_order_however_they_are_cut(books: Books) -> None:
    for number in range(5):
        allocated(books, allocation_id=f"call-{number}", requests=1)
    for limit, sizes in ((1, [1] * 5), (2, [2, 2, 1]), (3, [3, 2]), (5, [5]), (1000, [5])):
        listed = [page.items for page in pages(books.allocations, limit=limit)]
        assert [len(items) for items in listed] == sizes
        # The clock stands still: all were placed at one time, and their ids decide.
        assert [item.allocation_id for items in listed for item in items] == [
            "call-4", "call-3", "call-2", "call-1", "call-0",
        ]  # fmt: skip


def test_the_last_page_has_no_cursor_even_when_it_is_full(books: Books) -> None:
    for _ in range(2):
        allocated(books, requests=1)
    assert books.allocations(limit=2).next_cursor is None
    assert books.allocations(limit=1).next_cursor is not None


def test_what_comes_while_a_list_is_read_neither_repeats_nor_skips_anything(
    books: Books, clock: Clock
) -> None:
    for number in range(4):
        clock.move(1)
        allocated(books, allocation_id=f"old-{number}", requests=1)
    first = books.allocations(limit=2)
    clock.move(1)
    allocated(books, allocation_id="new", requests=1)
    second = books.allocations(limit=2, cursor=first.next_cursor)
    ids = [item.allocation_id for item in (*first.items, *second.items)]
    assert ids == ["old-3", "old-2", "old-1", "old-0"]


@pytest.mark.parametrize("sort", [None, "placed_at", "expires_at"])
def test_lists_that_are_read_while_others_write_miss_and_repeat_nothing(
    books: Books, sort: str | None
) -> None:
    for number in range(30):
        allocated(books, allocation_id=f"old-{number:02}", requests=1, attributes={"team": "a"})
    done = threading.Event()

    def write() -> None:
        for number in range(100):
            attributes = {"team": "ab"[number % 2]}
            allocated(books, allocation_id=f"new-{number}", requests=1, attributes=attributes)
            if done.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for wanted in (None, {"team": "a"}, {"team": "a", "tag.x": "none"}):
            read = [
                item.allocation_id
                for page in pages(books.allocations, limit=7, sort=sort, attributes=wanted)
                for item in page.items
            ]
            assert len(read) == len(set(read))
            old = [name for name in read if name.startswith("old")]
            assert len(old) == (0 if wanted and "tag.x" in wanted else 30)
    finally:
        done.set()
        writer.join()


def test_a_page_has_1_to_1000_items(books: Books) -> None:
    reads: list[Any] = [books.allocations, books.budgets, books.usage_records, books.events]
    for limit in (0, -1, 1001, True, "10", 1.0, None):
        for read in reads:
            assert refused(read, limit=limit).field == "limit"


def written(values: Any) -> str:
    """A cursor of any values, as a meddler might make it."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


def test_a_cursor_that_no_list_gave_is_bad_input(books: Books) -> None:
    reads: list[Any] = [books.allocations, books.usage_records]
    meddled = [[1], [1, 2], [], None, {"a": 1}, ["a", "b"], [-1, "a"], [1.5, "a"], [True, "a"],
               [10**22, "a"], [1, "\x00"], [1, "\ud800"], [1, None]]  # fmt: skip
    for cursor in (*map(written, meddled), "", "x", "ent_0", "Ww", "é", "a" * 5000, "[1,2]", 7):
        for read in reads:
            assert refused(read, cursor=cursor).field == "cursor"
    assert written([[1]] * 400) != "", "too long, and not a cursor"


def test_a_cursor_is_of_one_list_only(books: Books) -> None:
    for name in ("A", "B"):
        a_budget(books, name)
    cursor = books.budgets(limit=1).next_cursor
    assert refused(books.allocations, cursor=cursor).field == "cursor"


def test_cursors_may_be_put_in_a_url_as_they_are(books: Books) -> None:
    for number in range(9):
        allocated(books, allocation_id="a.b_c:d-" + "e" * number, requests=1)
    for page in pages(books.allocations, limit=1):
        assert re.fullmatch("[A-Za-z0-9_-]+", page.next_cursor or "-")


# --- Budgets and policies ------------------------------------------------------------------------


def test_a_budget_is_read_as_it_was_made_archived_policies_too(books: Books) -> None:
    budget_id = a_budget(books, scope={"team": ["a", "b*"]}, per=["user"], owner="ann",
                         metadata={"cost centre": 7})  # fmt: skip
    (policy,) = books.budget(budget_id).policies
    books.archive_policy(policy.policy_id)
    read = books.budget(budget_id)
    assert (read.name, read.owner, read.per) == ("Team", "ann", ("user",))
    assert read.metadata == {"cost centre": 7}
    assert read.policies[0].archived_us is not None
    assert read.live_policies == ()
    assert books.policy(policy.policy_id) == read.policies[0]


def test_budgets_are_listed_by_id_and_archived_ones_only_when_asked_for(books: Books) -> None:
    kept, gone, other = (a_budget(books, name) for name in ("A", "B", "C"))
    books.archive_budget(gone)
    assert [b.budget_id for b in books.budgets().items] == sorted([kept, other])
    assert [b.budget_id for b in books.budgets(archived=True).items] == sorted([kept, gone, other])
    cut = [b.budget_id for page in pages(books.budgets, limit=1) for b in page.items]
    assert cut == sorted([kept, other])


def test_budgets_are_listed_by_owner(books: Books) -> None:
    mine = a_budget(books, "A", owner="ann")
    a_budget(books, "B", owner="bob")
    assert [b.budget_id for b in books.budgets(owner="ann").items] == [mine]


def test_a_listed_budget_has_its_own_policies_with_their_top_ups(books: Books) -> None:
    for name in ("A", "B"):
        policy = books.budget(a_budget(books, name)).policies[0]
        books.top_up(policy.policy_id, amount="1", reason=name)
    for budget in books.budgets().items:
        assert [top_up.reason for p in budget.policies for top_up in p.top_ups] == [budget.name]


def test_what_is_not_there_is_not_found(books: Books) -> None:
    reads: dict[str, Any] = {
        "budget": books.budget, "policy": books.policy, "allocation": books.allocation,
        "usage record": books.usage_record,
    }  # fmt: skip
    for kind, read in reads.items():
        for id_ in ("nothing", "", "a\x00b", "\ud800", "x" * 10_000):
            with pytest.raises(NotFound) as caught:
                read(id_)
            assert (caught.value.kind, caught.value.id) == (kind, id_)


def test_top_ups_are_listed_newest_first(books: Books, clock: Clock) -> None:
    ids = []
    policy_id = ""
    for name in ("A", "B"):
        policy_id = books.budget(a_budget(books, name)).policies[0].policy_id
        for amount in ("1", "2"):
            clock.move(1)
            ids.append(books.top_up(policy_id, amount=amount, reason=name).top_up_id)
    database = books.books.database
    assert [t.top_up_id for t in reports.top_ups(database).items] == ids[::-1]
    of_one = reports.top_ups(database, policy_id=policy_id).items
    assert [(t.reason, t.amount) for t in of_one] == [("B", 2 * USD), ("B", USD)]
    cut = [t for page in pages(lambda **a: reports.top_ups(database, **a), limit=3)
           for t in page.items]  # fmt: skip
    assert [t.top_up_id for t in cut] == ids[::-1]


def test_alerts_are_listed_newest_first_and_by_policy_and_kind(books: Books, clock: Clock) -> None:
    policy = books.budget(a_budget(books)).policies[0]
    books.record_usage(model="m", input_tokens=8500)
    clock.move(1)
    books.record_usage(model="m", input_tokens=2000)
    listed = books.alerts(status="all").items
    assert listed == sorted(listed, key=lambda a: (a.at_us, a.alert_id), reverse=True)
    assert {alert.policy_id for alert in listed} == {policy.policy_id}
    (overrun,) = books.alerts(kind="overrun").items
    assert overrun == Alert(
        overrun.alert_id, "overrun", "error", policy.policy_id, "{}", us("2026-05-15 00:00"),
        clock(), overrun.detail, budget_id=policy.budget_id, unit="usd",
    )  # fmt: skip
    assert json.loads(overrun.detail)["unit"] == "usd"
    assert books.alerts(policy_id="another").items == []


# --- Allocations ---------------------------------------------------------------------------------


def test_an_allocation_is_read_as_it_was_answered(books: Books) -> None:
    a_budget(books)
    answered = allocated(
        books, **CALL, attributes={"team": "a"}, priority=3, metadata={"trace": "7"}
    )
    assert books.allocation(answered.allocation_id) == answered


def test_an_allocation_shows_its_records_oldest_first(books: Books, clock: Clock) -> None:
    held = allocated(books, **CALL)
    for number in range(3):
        clock.move(1)
        books.record(held.allocation_id, usage_id=f"use-{3 - number}", input_tokens=number)
    read = books.allocation(held.allocation_id)
    assert [record.usage_id for record in read.records] == ["use-3", "use-2", "use-1"]
    assert read.records[2] == books.usage_record("use-1")
    assert read.remaining.tokens == 147


def test_an_envelope_shows_its_calls_and_a_call_its_envelope(books: Books, clock: Clock) -> None:
    a_budget(books)
    run = allocated(books, envelope=True, usd="2")
    calls = []
    for _ in range(2):
        clock.move(1)
        calls.append(allocated(books, **CALL, parent_id=run.allocation_id))
    read = books.allocation(run.allocation_id)
    assert [call.allocation_id for call in read.children] == [c.allocation_id for c in calls]
    assert [call.parent_id for call in read.children] == [run.allocation_id] * 2
    assert read.remaining.usd == 2 * USD - 400 * MILLI
    assert [
        call.allocation_id for call in books.allocations(parent_id=run.allocation_id).items
    ] == [c.allocation_id for c in reversed(calls)]


def test_the_balances_of_a_hold_are_those_of_the_windows_it_lies_in(
    books: Books, clock: Clock
) -> None:
    a_budget(books)
    held = allocated(books, usd="4", ttl_seconds=86_400)
    clock.move(DAY)
    allocated(books, usd="3")
    books.extend(held.allocation_id, usd="1")
    yesterday, today = books.allocation(held.allocation_id).legs
    assert yesterday.window == Window(us("2026-05-15 00:00"), us("2026-05-16 00:00"))
    assert (yesterday.spent, yesterday.reserved, yesterday.limit) == (0, 4 * USD, 10 * USD)
    assert today.window == Window(us("2026-05-16 00:00"), us("2026-05-17 00:00"))
    assert (today.spent, today.reserved, today.limit) == (0, 4 * USD, 10 * USD)


def test_a_window_that_has_passed_without_another_call_still_shows_what_it_holds(
    books: Books, clock: Clock
) -> None:
    a_budget(books)
    held = allocated(books, usd="4", ttl_seconds=86_400)
    clock.move(DAY)
    (leg,) = books.allocation(held.allocation_id).legs
    assert leg.window.end_us == us("2026-05-16 00:00")
    assert leg.reserved == 4 * USD


def test_a_rolling_balance_shows_once_however_many_buckets_a_hold_lies_in(
    books: Books, clock: Clock
) -> None:
    a_budget(books, period="rolling:1h")
    held = allocated(books, usd="1", ttl_seconds=7200)
    clock.move(10 * MINUTE)
    books.extend(held.allocation_id, usd="2")
    (leg,) = books.allocation(held.allocation_id).legs
    assert leg.reserved == 3 * USD
    assert leg.window == Window(clock() - HOUR, clock() + MINUTE)
    clock.move(51 * MINUTE)
    assert [leg.reserved for leg in books.allocation(held.allocation_id).legs] == [2 * USD]


def test_an_archived_budget_still_shows_in_the_legs_of_old_holds(books: Books) -> None:
    budget_id = a_budget(books, "Old")
    held = allocated(books, usd="4")
    books.archive_budget(budget_id)
    (leg,) = books.allocation(held.allocation_id).legs
    assert (leg.budget, leg.reserved) == ("Old", 4 * USD)


def test_allocations_are_listed_by_status_and_session(books: Books) -> None:
    def ids(**by: Any) -> list[str]:
        return [item.allocation_id for item in books.allocations(**by).items]

    allocated(books, allocation_id="a", requests=1, attributes={"session": "s"})
    allocated(books, allocation_id="b", requests=1, attributes={"session": "s"})
    allocated(books, allocation_id="c", requests=1, attributes={"session": "t"})
    books.release("b")
    assert ids(session="s") == ["b", "a"]
    assert ids(status="open") == ["c", "a"]
    assert ids(status="released", session="s") == ["b"]
    assert ids(status="settled") == ids(session="u") == []
    error = refused(books.allocations, status="closed")
    assert error.field == "status"
    assert error.allowed == ("open", "settled", "released", "expired")


def test_a_filter_that_no_database_could_hold_is_bad_input(books: Books) -> None:
    for text in ("a\x00", "\udfff"):
        assert refused(books.allocations, session=text).field == "attributes.session"
        assert refused(books.usage_records, task=text).field == "attributes.task"
        assert refused(books.budgets, owner=text).field == "owner"
        assert refused(books.events, kind=text).field == "kind"


def test_what_is_due_is_what_is_open_and_past_its_time(books: Books, clock: Clock) -> None:
    database = books.books.database
    allocated(books, allocation_id="late", requests=1, ttl_seconds=3)
    allocated(books, allocation_id="early", requests=1, ttl_seconds=2)
    allocated(books, allocation_id="ended", requests=1, ttl_seconds=2)
    allocated(books, allocation_id="later", requests=1, ttl_seconds=60)
    books.release("ended")
    clock.move(2_000_000 - 1)
    assert reports.due(database) == []
    clock.move(1)
    assert reports.due(database) == ["early"]
    clock.move(1_000_000)
    assert reports.due(database) == ["early", "late"]
    assert reports.due(database, most=1) == ["early"]


# --- Usage ---------------------------------------------------------------------------------------


def test_a_usage_record_is_read_in_full(books: Books, clock: Clock) -> None:
    held = allocated(books, **CALL, attributes={"session": "s", "task": "t"})
    books.settle(
        held.allocation_id, usage_id="use", input_tokens=90, output_tokens=10,
        cache_read_tokens=5, cost="0.2", metadata={"a": 1},
    )  # fmt: skip
    read = books.usage_record("use")
    assert isinstance(read, UsageRecord)
    assert read.allocation_id == held.allocation_id
    assert read.usage == Usage(90, 10, 5)
    assert (read.cost_nanos, read.reported_cost_nanos) == (110 * MILLI, 200 * MILLI)
    assert (read.recorded_us, read.occurred_us) == (clock(), clock())
    assert {key: read.attributes[key] for key in ("model", "session", "task")} == {
        "model": "m", "session": "s", "task": "t",
    }  # fmt: skip
    assert (read.final, read.reverses, read.flags) == (True, None, ())


def test_usage_is_listed_by_the_time_it_occurred_newest_first(books: Books) -> None:
    for usage_id, at in (("b", "11:00"), ("c", "11:30"), ("a", "10:00")):
        books.record_usage(
            usage_id=usage_id, model="m", input_tokens=1, occurred_at=f"2026-05-15T{at}:00Z",
            attributes={"session": usage_id, "task": "t"},
        )  # fmt: skip

    def ids(**by: Any) -> list[str]:
        return [record.usage_id for record in books.usage_records(**by).items]

    assert ids() == ["c", "b", "a"]
    assert ids(since="2026-05-15T11:00:00Z") == ["c", "b"]
    assert ids(until="2026-05-15T11:00:00Z") == ["a"], "the end does not belong to it"
    assert ids(since="2026-05-15T10:00:00Z", until="2026-05-15T13:30:00+02:00") == ["b", "a"]
    assert ids(session="b") == ["b"]
    assert ids(task="t", limit=2) == ["c", "b"]
    assert [
        record.usage_id for page in pages(books.usage_records, limit=1) for record in page.items
    ] == ["c", "b", "a"]
    assert refused(books.usage_records, since="yesterday").field == "since"
    assert refused(books.usage_records, until="2026-05-15").field == "until"


def test_usage_is_listed_by_allocation_corrections_too(books: Books) -> None:
    held = allocated(books, **CALL)
    books.record_usage(model="m", input_tokens=1)
    books.settle(held.allocation_id, usage_id="use", input_tokens=90)
    made = books.correct("use", reason="miscounted", replacement={"input_tokens": 80})
    listed = books.usage_records(allocation_id=held.allocation_id).items
    assert {record.usage_id for record in listed} == {
        "use", made.reversal_id, made.replacement_id,
    }  # fmt: skip
    assert sum(record.usage.input_tokens for record in listed) == 80


# --- Events --------------------------------------------------------------------------------------


def kinds(page: Page[Event]) -> list[str]:
    return [event.kind for event in page.items]


def test_events_come_in_order_and_a_reader_goes_on_where_it_was(books: Books) -> None:
    a_budget(books)
    held = allocated(books, **CALL)
    first = books.events()
    assert kinds(first) == ["budget_created", "placed"]
    assert books.events(after=first.next_cursor).items == []
    books.settle(held.allocation_id, input_tokens=1)
    second = books.events(after=first.next_cursor)
    assert kinds(second) == ["settled"]
    assert second.items[0].allocation_id == held.allocation_id
    assert second.items[0].usage_id is not None


def test_a_cursor_can_always_be_used_to_go_on_even_from_an_empty_page(books: Books) -> None:
    assert books.events().next_cursor is None, "from nothing one begins again"
    a_budget(books)
    cursor = books.events().next_cursor
    empty = books.events(after=cursor)
    assert (empty.items, empty.next_cursor) == ([], cursor)


def test_events_are_cut_into_pages_and_chosen_by_kind(books: Books) -> None:
    for _ in range(3):
        books.release(allocated(books, **CALL).allocation_id)
    seen: list[str] = []
    cursor = None
    while (page := books.events(after=cursor, limit=2)).items:
        seen += kinds(page)
        cursor = page.next_cursor
    assert seen == ["placed", "released"] * 3
    assert kinds(books.events(kind="released")) == ["released"] * 3
    assert kinds(books.events(kind="settled")) == []


def test_a_cursor_that_no_event_had_is_bad_input(books: Books) -> None:
    for after in (
        "", "ent_", "ent_0", "ent_00000000000000g0", "ent_ffffffffffffffff",
        "ENT_0000000000000001", "ent_0000000000000001 ", "ent_0000000000000001\n", 5,
    ):  # fmt: skip
        assert refused(books.events, after=after).field == "after"


def test_cursors_sort_as_text_as_their_entries_do() -> None:
    ids = [0, 1, 15, 16, 255, pack(1, 7, 3), pack(1, 8, 0), pack(2, 1, 0), 2**63 - 1]
    assert sorted(map(encode, ids)) == [encode(entry_id) for entry_id in ids]


def _enter(connection: psycopg.Connection[Any], kind: str, *, epoch: int = 1, xid: int = 0) -> None:
    """Write an entry as a batch would: its id begins with the transaction's own number."""
    (own,) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or (0,)
    connection.execute(
        "INSERT INTO entries (id, at_us, kind, actor, legs, detail)"
        " VALUES (%s, 0, %s, 'x', '[]', '{}')",
        (pack(epoch, xid or own, 0), kind),
    )


def test_an_entry_that_is_committed_late_is_not_skipped(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.new(migrate)
    with closing(open_database(url)) as database:
        with psycopg.connect(url) as slow, psycopg.connect(url) as fast:
            _enter(slow, "slow")  # begins first, and so has the lower id
            _enter(fast, "fast")
            fast.commit()
            before = events(database)
            assert kinds(before) == [], "a lower id may still come"
            slow.commit()
        assert kinds(events(database, after=before.next_cursor)) == ["slow", "fast"]


def test_entries_of_earlier_epochs_are_readable_whatever_their_transaction_was(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.new(migrate)
    with closing(open_database(url)) as database:
        with psycopg.connect(url) as writer:
            _enter(writer, "of the server before", xid=10**9)
            assert writer.execute("UPDATE state SET epoch = 2").rowcount == 1
            writer.commit()
            _enter(writer, "of this server", epoch=2)
        read = events(database)
    assert kinds(read) == ["of the server before", "of this server"]
    assert [unpack(event.cursor).epoch for event in read.items] == [1, 2]


# --- Status --------------------------------------------------------------------------------------


def shown(books: Books, **attributes: str) -> list[tuple[str, str, str, int, int]]:
    """Budget, unit, partition, spent and limit of every balance."""
    return [
        (view.budget, view.policy.unit, view.partition, view.spent, view.limit)
        for view in books.status(**attributes)
    ]


def test_status_shows_every_balance_by_budget_policy_and_partition(books: Books) -> None:
    books.create_budget(
        name="Users", per=["user"], policies=[{"unit": "tokens", "period": "daily", "limit": 900}]
    )
    books.create_budget(
        name="Firm",
        policies=[
            {"unit": "tokens", "period": "monthly", "limit": 5000},
            {"unit": "requests", "period": "daily", "limit": 50},
        ],
    )
    for user in ("bob", "ann"):
        books.record_usage(model="m", input_tokens=100, attributes={"user": user})
    books.record_usage(model="m", input_tokens=10)
    assert shown(books) == [
        ("Firm", "tokens", "{}", 210, 5000),
        ("Firm", "requests", "{}", 3, 50),
        ("Users", "tokens", '{"user":"ann"}', 100, 900),
        ("Users", "tokens", '{"user":"bob"}', 100, 900),
        ("Users", "tokens", '{"user":null}', 10, 900),
    ]


def test_a_policy_that_no_call_has_met_shows_zeros(books: Books) -> None:
    a_budget(books)
    a_budget(books, "Users", per=["user"])
    assert shown(books) == [("Team", "usd", "{}", 0, 10 * USD)]
    (view,) = books.status()
    assert view.window == Window(us("2026-05-15 00:00"), us("2026-05-16 00:00"))
    assert (view.reserved, view.assumed, view.overrun) == (0, 0, 0)


def test_with_attributes_it_shows_what_a_call_with_them_would_meet(books: Books) -> None:
    a_budget(books, "A", scope={"team": "a"})
    a_budget(books, "B", scope={"team": ["b", "c*"]})
    a_budget(books, "All")
    a_budget(books, "A's agents", scope={"team": "a", "agent": "x"})
    assert [row[0] for row in shown(books, team="a")] == ["A", "All"]
    assert [row[0] for row in shown(books, team="cc")] == ["All", "B"]
    assert [row[0] for row in shown(books, user="u")] == ["All"]
    assert [row[0] for row in shown(books, team="a", agent="x")] == ["A", "A's agents", "All"]
    assert [row[0] for row in shown(books)] == ["A", "A's agents", "All", "B"]


def test_a_model_also_shows_what_calls_of_its_tier_meet(books: Books) -> None:
    scopes: dict[str, Any] = {
        "All": {}, "Heavy": {"tier": "remote_heavyweight"}, "Light": {"tier": "local_lightweight"},
    }  # fmt: skip
    for name, scope in scopes.items():
        a_budget(books, name, scope=scope, unpriced="allow")
    a_budget(books, "Tiers", per=["tier"], unpriced="allow")
    held = allocated(books, model="gpt-4o", usd="1")
    assert {leg.budget for leg in held.legs} == {"All", "Heavy", "Tiers"}
    assert held.attributes["tier"] == "remote_heavyweight"
    assert shown(books, model="gpt-4o") == [
        ("All", "usd", "{}", 0, 10 * USD),
        ("Heavy", "usd", "{}", 0, 10 * USD),
        ("Tiers", "usd", '{"tier":"remote_heavyweight"}', 0, 10 * USD),
    ]
    # A tier that is named counts, whatever the model; so it does for a call.
    named = {"model": "gpt-4o", "tier": "local_lightweight"}
    assert [row[0] for row in shown(books, **named)] == ["All", "Light", "Tiers"]
    light = allocated(books, attributes=named, usd="1")
    assert {leg.budget for leg in light.legs} == {"All", "Light", "Tiers"}
    # A provider alone says no tier: calls to it may be of any.
    assert [row[0] for row in shown(books, provider="openai")] == ["All", "Tiers", "Tiers"]


def test_partitions_are_those_that_the_attributes_leave_open(books: Books) -> None:
    a_budget(books, per=["team", "user"])
    for team, user in (("a", "ann"), ("a", "bob"), ("b", "ann")):
        books.record_usage(model="m", input_tokens=1, attributes={"team": team, "user": user})
    books.record_usage(model="m", input_tokens=1, attributes={"team": "a"})

    def partitions(**attributes: str) -> list[str]:
        return [json.loads(row[2])["user"] or "-" for row in shown(books, **attributes)]

    assert partitions(team="a") == ["ann", "bob", "-"]
    assert partitions(user="ann") == ["ann", "ann"]
    assert partitions(team="b", user="ann") == ["ann"]
    assert partitions(team="b") == ["ann"]


def test_a_partition_named_in_full_shows_before_its_first_call(books: Books) -> None:
    a_budget(books, per=["user"])
    assert shown(books, user="new") == [("Team", "usd", '{"user":"new"}', 0, 10 * USD)]
    assert shown(books, team="a") == []


def test_a_window_that_has_passed_shows_as_a_fresh_one_with_its_carry_and_top_ups(
    books: Books, clock: Clock
) -> None:
    made = books.create_budget(
        name="Team",
        policies=[{"unit": "usd", "period": "daily", "limit": "10", "rollover": "unused"}],
    )
    books.record_usage(model="m", input_tokens=7000)
    books.top_up(
        made.policies[0].policy_id, amount="5", reason="release", until="2026-05-17T00:00:00Z"
    )
    assert shown(books) == [("Team", "usd", "{}", 7 * USD, 15 * USD)]
    clock.move(DAY)
    assert shown(books) == [("Team", "usd", "{}", 0, 23 * USD)]  # 10 + 5 + what was left: 8
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [23 * USD]
    clock.move(DAY)
    assert shown(books) == [("Team", "usd", "{}", 0, 20 * USD)]  # at most one limit is carried


def test_a_rolling_balance_shows_without_what_has_left(books: Books, clock: Clock) -> None:
    a_budget(books, period="rolling:1h")
    books.record_usage(model="m", input_tokens=1000)
    clock.move(30 * MINUTE)
    books.record_usage(model="m", input_tokens=2000)
    assert [row[3] for row in shown(books)] == [3 * USD]
    clock.move(31 * MINUTE)
    assert [row[3] for row in shown(books)] == [2 * USD]


def test_what_is_archived_does_not_show(books: Books) -> None:
    gone = a_budget(books, "Gone")
    kept = books.budget(a_budget(books, "Kept"))
    books.create_policy(kept.budget_id, unit="tokens", period="daily", limit=9)
    books.record_usage(model="m", input_tokens=1)
    books.archive_budget(gone)
    books.archive_policy(kept.policies[0].policy_id)
    assert shown(books) == [("Kept", "tokens", "{}", 1, 9)]


def test_an_attribute_that_is_not_one_is_bad_input(books: Books) -> None:
    assert isinstance(refused(books.status, colour="red"), InvalidInput)


# --- One moment ----------------------------------------------------------------------------------


def test_a_report_of_several_queries_shows_one_moment(books: Books) -> None:
    books.create_budget(
        name="Team",
        policies=[
            {"unit": "requests", "period": "daily", "limit": 10**6},
            {"unit": "requests", "period": "total", "limit": 10**6},
        ],
    )
    done = threading.Event()

    def spend() -> None:
        while not done.is_set():
            try:
                held = books.allocate(allocation_id="call", requests=1)
                assert isinstance(held, Allocation)
                books.settle("call", requests=1, input_tokens=0)
                books.record_usage(requests=1, input_tokens=0)
            except BudgetError:
                return

    writer = threading.Thread(target=spend)
    writer.start()
    try:
        for _ in range(40):
            daily, total = books.status()
            assert (daily.spent, daily.reserved) == (total.spent, total.reserved)
    finally:
        done.set()
        writer.join()


def test_a_database_that_is_gone_is_unavailable(sqlite_databases: SqliteDatabases) -> None:
    url = sqlite_databases.new(migrate)
    with closing(open_database(url)) as database:
        assert reports.status(database, {}) == []
        Path(url.removeprefix("sqlite:///")).unlink()
        with pytest.raises(Unavailable):
            reports.status(database, {})

"""Carrying: books of PostgreSQL copied, and copies put in force there, from either engine."""

import os
from pathlib import Path
from typing import Any

import pytest

from budget.domain.answers import Allocation
from budget.domain.cursors import unpack
from budget.domain.errors import Conflict, NotFound
from budget.engine import carrying, copying
from tests.engine.conftest import migrate
from tests.engine.opened import USD, Clock, allocated, figures, open_books
from tests.support.databases import Databases

USED: Any = {"model": "m", "input_tokens": 1000, "output_tokens": 0}
"""One dollar."""


def source_of(url: str) -> Path | str:
    """What `backup` takes."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else url


def spent(url: str, clock: Clock) -> tuple[str, str]:
    """Books with a limit, a call that was settled and one that is open; its policy, its hold."""
    with open_books(url, clock) as books:
        made = books.create_budget(
            name="Team",
            per=["user"],
            policies=[
                {"unit": "usd", "period": "daily", "limit": "9", "enforcement": "hard_limit"}
            ],
        )
        books.record_usage(**USED, attributes={"user": "ann", "tag.env": "é\\N"})
        held = allocated(books, usd="2", attributes={"user": "ann"}, idempotency_key="k")
        return made.policies[0].policy_id, held.allocation_id


def test_a_copy_of_either_engine_is_put_in_force_on_the_server(
    databases: Databases, postgres_url: str, clock: Clock, tmp_path: Path
) -> None:
    url = databases.new(migrate)
    policy, hold = spent(url, clock)
    copy = tmp_path / "copy.db"
    manifest = copying.backup(source_of(url), copy)
    assert (manifest.usage_records, manifest.allocations, manifest.budgets) == (1, 1, 1)
    done = copying.restore_to_server(copy, postgres_url, discard=False)
    assert (done.kept, done.discarded_entries, done.open_allocations) == (None, 0, 1)
    with open_books(postgres_url, clock) as books:
        assert figures(books, policy) == {'{"user":"ann"}': (USD, 2 * USD, 0)}
        again = allocated(books, usd="2", attributes={"user": "ann"}, idempotency_key="k")
        assert (again.allocation_id, again.replayed) == (hold, True)
        books.settle(hold, **USED)
        books.record_usage(**USED, attributes={"user": "bob"})  # a new head has a number of its own
        assert len(figures(books, policy)) == 2
        cursors = [event.cursor for event in books.events(limit=1000).items]
        assert cursors == sorted(cursors)
        assert unpack(cursors[-1]).epoch > unpack(cursors[0]).epoch
        assert [event.kind for event in books.events(limit=1000).items].count("restored") == 1
        assert books.verify().violations == ()


def test_books_of_the_server_are_put_in_force_as_a_file(
    postgres_url: str, clock: Clock, tmp_path: Path
) -> None:
    policy, hold = spent(postgres_url, clock)
    copying.backup(postgres_url, tmp_path / "copy.db")
    copying.restore(tmp_path / "copy.db", tmp_path / "books.db", discard=False)
    with open_books(f"sqlite:///{tmp_path}/books.db", clock) as books:
        assert figures(books, policy) == {'{"user":"ann"}': (USD, 2 * USD, 0)}
        books.settle(hold, **USED)
        assert books.verify().violations == ()


def test_books_of_the_server_are_copied_while_they_are_written_and_not_replaced(
    postgres_url: str, clock: Clock, tmp_path: Path
) -> None:
    policy, _ = spent(postgres_url, clock)
    copy = tmp_path / "copy.db"
    with open_books(postgres_url, clock) as books:
        books.record_usage(**USED, attributes={"user": "ann"})
        assert copying.backup(postgres_url, copy).usage_records == 2
        with pytest.raises(Conflict, match="stop the service first"):
            copying.restore_to_server(copy, postgres_url, discard=True)
        books.record_usage(**USED, attributes={"user": "ann"})
    with pytest.raises(Conflict, match="1 entry that the copy has not"):
        copying.restore_to_server(copy, postgres_url, discard=False)
    done = copying.restore_to_server(copy, postgres_url, discard=True)
    assert done.kept is not None
    assert carrying.standing_of(postgres_url).epoch == done.epoch
    with open_books(postgres_url, clock) as books:
        assert figures(books, policy) == {'{"user":"ann"}': (2 * USD, 2 * USD, 0)}
    with open_books(f"sqlite:///{done.kept}", clock) as books:
        assert figures(books, policy) == {'{"user":"ann"}': (3 * USD, 2 * USD, 0)}
    assert [name for name in os.listdir(tmp_path) if "part" in name] == []


def test_what_was_written_after_the_journals_were_compared_is_not_lost(
    postgres_url: str, clock: Clock, tmp_path: Path
) -> None:
    spent(postgres_url, clock)
    copying.backup(postgres_url, tmp_path / "copy.db")
    there = carrying.standing_of(postgres_url)
    with open_books(postgres_url, clock) as books:
        books.record_usage(**USED, attributes={"user": "ann"})
    with pytest.raises(Conflict, match="written to meanwhile"):
        carrying.put_in(tmp_path / "copy.db", postgres_url, there, epoch=5)
    with open_books(postgres_url, clock) as books:
        assert len(books.usage_records().items) == 2
        assert books.verify().violations == ()


def test_a_restore_that_dies_before_it_commits_leaves_the_books_as_they_were(
    postgres_url: str, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, _ = spent(postgres_url, clock)
    copying.backup(postgres_url, tmp_path / "copy.db")
    child = os.fork()
    if child == 0:  # dies with every row copied, as kill -9 would have it
        rows = carrying._copy_rows
        monkeypatch.setattr(carrying, "_copy_rows", lambda *all_: (rows(*all_), os._exit(9)))
        copying.restore_to_server(tmp_path / "copy.db", postgres_url, discard=False)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with open_books(postgres_url, clock) as books:
        assert figures(books, policy) == {'{"user":"ann"}': (USD, 2 * USD, 0)}
        assert books.verify().violations == ()
        assert isinstance(books.allocate(usd="1", attributes={"user": "ann"}), Allocation)


def test_a_database_without_books_has_nothing_to_copy(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no books in this database yet"):
        copying.backup(postgres_url, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []

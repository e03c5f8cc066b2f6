"""The database is locked, slow or gone: 503 after two seconds, nothing half done, no restart."""

import asyncio
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from budget.domain.errors import BudgetError, Unavailable
from budget.engine.budget import AsyncBudget, Budget
from budget.prices.book import PriceBook
from budget.storage.sqlite_unit import SqliteUnit
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import misposted, read_books, sqlite_path
from tests.support.results import report
from tests.support.workers import (
    Outcome,
    Team,
    Worker,
    attempt,
    in_threads,
    migrate,
    verify,
)

BUDGET: dict[str, Any] = {
    "name": "patience",
    "scope": {"org": "wait"},
    "policies": [{"unit": "tokens", "period": "total", "limit": 10**9}],
}


def hold(budget: Budget, name: str) -> Outcome:
    """Hold one token under a name."""
    ask = {"allocation_id": name, "attributes": {"org": "wait"}, "tokens": 1}
    return attempt(budget, ("allocate", ask))


def stored(url: str) -> set[str]:
    """The names of the holds in the books, which must add up."""
    books = read_books(url)
    assert misposted(books) == []
    return {row[0] for row in books.allocations}


def call_every_250_ms(budget: Budget, prefix: str, until: float) -> dict[str, Outcome]:
    """One call each quarter of a second, none waiting for another; all outcomes by name."""
    outcomes: dict[str, Outcome] = {}
    threads = []
    n = 0
    while time.monotonic() < until:
        name = f"{prefix}{n}"

        def call(name: str = name) -> None:
            outcomes[name] = hold(budget, name)

        threads.append(threading.Thread(target=call))
        threads[-1].start()
        n += 1
        time.sleep(0.25)
    for thread in threads:
        thread.join()
    return outcomes


# --- Locked --------------------------------------------------------------------------------------


def lock_sqlite(_budget: object, file: str, seconds: float) -> None:
    """An errand: keep SQLite's write lock, as any program with the file open may."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _keep(file, seconds)
        connection.execute("ROLLBACK")


def flock_sqlite(_budget: object, file: str, seconds: float) -> None:
    """An errand: keep the lock that Budget's own processes take, as one that hangs would."""
    import fcntl

    with open(f"{file}.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _keep(file, seconds)


def _keep(file: str, seconds: float) -> None:
    """Tell that the lock is held, and hold it so long from when somebody begins to call."""
    _held(file).touch()
    _await(_calling(file))
    time.sleep(seconds)


def _held(file: str) -> Path:
    """What is there from when the lock is held."""
    return Path(f"{file}.held")


def _calling(file: str) -> Path:
    """What is there from when calls come."""
    return Path(f"{file}.calling")


def _await(mark: Path) -> None:
    patience = time.monotonic() + 30
    while not mark.exists():
        assert time.monotonic() < patience, f"nobody made {mark.name}"
        time.sleep(0.01)


def test_a_file_locked_for_three_seconds_is_answered_with_503_after_two_and_then_heals(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    """By SQLite's own lock and by Budget's, each on a file of its own, at the same time."""
    errands = ("lock_sqlite", "flock_sqlite")
    urls = [sqlite_databases.new(migrate) for _ in errands]
    with Team(nursery, folder, 2) as team:

        def lock_one(n: int) -> None:
            look_at_a_locked_file(urls[n], team.workers[n], errands[n])

        in_threads(lock_one, range(2))


def look_at_a_locked_file(url: str, locker: Worker, errand: str) -> None:
    """Call while another process has the lock, and after it."""
    with Budget.open(url) as budget:
        budget.create_budget(**BUDGET)
        locker.start(f"tests.faults.test_unavailable:{errand}", sqlite_path(url), 3.0)
        _await(_held(sqlite_path(url)))
        _calling(sqlite_path(url)).touch()
        locked = call_every_250_ms(budget, "locked-", time.monotonic() + 2.2)
        locker.finish()
        healed = hold(budget, "healed")
        found = verify(budget)
    acked = {name for name, o in locked.items() if o.kind == "ok"} | {"healed"}
    refused = [o for o in locked.values() if o.kind == "unavailable"]
    assert refused
    slowest = max(o.seconds for o in refused)
    report(
        f"locked by another process, {errand}",
        calls=len(locked), unavailable=len(refused), slowest=slowest, healed=healed.seconds,
    )  # fmt: skip
    assert Counter(o.kind for o in locked.values()).keys() <= {"ok", "unavailable"}
    assert healed.kind == "ok"
    assert stored(url) == acked
    assert found == []


def test_tables_locked_in_postgres_keep_callers_waiting_two_seconds_at_most(
    postgres_databases: PostgresDatabases,
) -> None:
    """The batch that waits in the database gets its answer when the lock goes; who queues, 503."""
    url = postgres_databases.new(migrate)
    with Budget.open(url) as budget:
        budget.create_budget(**BUDGET)
        with psycopg.connect(url) as locker:
            locker.execute("LOCK TABLE heads IN EXCLUSIVE MODE")
            locked: dict[str, Outcome] = {}

            def keep_calling() -> None:
                locked.update(call_every_250_ms(budget, "locked-", time.monotonic() + 2.8))

            caller = threading.Thread(target=keep_calling)
            caller.start()
            time.sleep(3)
            locker.rollback()
            caller.join()
        healed = hold(budget, "healed")
        found = verify(budget)
    acked = {name for name, o in locked.items() if o.kind == "ok"} | {"healed"}
    refused = [o for o in locked.values() if o.kind == "unavailable"]
    report(
        "tables locked in PostgreSQL",
        calls=len(locked), unavailable=len(refused), slowest=max(o.seconds for o in refused),
    )  # fmt: skip
    assert Counter(o.kind for o in locked.values()).keys() == {"ok", "unavailable"}
    assert healed.kind == "ok"
    assert stored(url) == acked
    assert found == []


# --- Slow ----------------------------------------------------------------------------------------


class Slow:
    """Makes the commits of this process wait, between `begin` and `end`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._over = threading.Event()
        self._over.set()
        self.waits = threading.Event()
        """Whether a commit has come."""
        monkeypatch.setattr(SqliteUnit, "commit", self._slowed(SqliteUnit.commit))

    def begin(self) -> None:
        """Let the next ones wait."""
        self._over.clear()

    def end(self) -> None:
        """Let them go on."""
        self._over.set()

    def _slowed(self, commit: Any) -> Any:
        def slow_commit(unit: Any) -> None:
            if not self._over.is_set():
                self.waits.set()
                assert self._over.wait(60), "nobody ended it"
            commit(unit)

        return slow_commit


def test_a_slow_database_answers_who_queued_over_two_seconds_with_503_and_books_nothing_of_it(
    sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_databases.new(migrate)
    slow = Slow(monkeypatch)
    with Budget.open(url, prices=PriceBook(None), sweep=False) as budget:
        budget.create_budget(**BUDGET)
        slow.begin()
        outcomes: dict[str, Outcome] = {}

        def call(name: str) -> None:
            outcomes[name] = hold(budget, name)

        threads = [threading.Thread(target=call, args=("first",))]
        threads[0].start()
        assert slow.waits.wait(30)
        threads += [threading.Thread(target=call, args=(f"queued-{n}",)) for n in range(20)]
        for thread in threads[1:]:
            thread.start()
        for thread in threads[1:]:
            thread.join()
        slow.end()
        threads[0].join()
        healed = hold(budget, "healed")
        found = verify(budget)
    queued = [o for name, o in outcomes.items() if name != "first"]
    report(
        "slow database",
        unavailable=sum(o.kind == "unavailable" for o in queued),
        soonest=min(o.seconds for o in queued), latest=max(o.seconds for o in queued),
    )  # fmt: skip
    assert outcomes["first"].kind == "ok"
    assert {o.kind for o in queued} == {"unavailable"}
    assert min(o.seconds for o in queued) >= 2.0
    assert healed.kind == "ok"
    assert stored(url) == {"first", "healed"}
    assert found == []


def test_ten_thousand_may_wait_and_the_next_is_turned_away_at_once(
    sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_databases.new(migrate)
    slow = Slow(monkeypatch)

    async def crowd() -> tuple[Counter[str], float, str, Outcome]:
        async with await AsyncBudget.open(url, prices=PriceBook(None), sweep=False) as budget:
            await budget.create_budget(**BUDGET)
            slow.begin()
            tasks = [asyncio.ensure_future(one(budget, "first"))]
            assert await asyncio.to_thread(slow.waits.wait, 30)
            tasks += [asyncio.ensure_future(one(budget, f"n{n}")) for n in range(10_000)]
            await asyncio.sleep(0)  # each of them comes to stand in the queue
            assert budget.books.ledger.queued == 10_000
            began = time.monotonic()
            turned_away = await one(budget, "too-many")
            seconds = time.monotonic() - began
            assert not any(task.done() for task in tasks), "nobody who waits was answered before"
            late = await asyncio.gather(*tasks[1:])
            slow.end()
            outcomes = [await tasks[0], *late]
            healed = await one(budget, "healed")
        return Counter(o.kind for o in outcomes), seconds, turned_away.code, healed

    async def one(budget: AsyncBudget, name: str) -> Outcome:
        try:
            await budget.allocate(allocation_id=name, attributes={"org": "wait"}, tokens=1)
        except BudgetError as error:
            kind = "unavailable" if isinstance(error, Unavailable) else "error"
            return Outcome(kind, error.code)
        return Outcome("ok")

    kinds, seconds, code, healed = asyncio.run(crowd())
    report("queue full", **kinds, turned_away_after=seconds)
    assert code == "queue_full"
    assert healed.kind == "ok"
    assert kinds == {"ok": 1, "unavailable": 10_000}
    assert len(stored(url)) == 2

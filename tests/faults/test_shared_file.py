"""Two services write one SQLite file while others open, read and close it: slow, but nothing lost.

The log is folded into the file many times over meanwhile, under the lock: the race that SQLite had
up to 3.51.2 between one connection's checkpoint and another's write is what this would show.
"""

import random
import threading
import time
from pathlib import Path
from typing import Any

from tests.support.databases import SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import misposted, read_books
from tests.support.results import report
from tests.support.siege import Besieged, assault, siege, verify
from tests.support.workers import Team, attempt


class Visitors:
    """Open the books, verify them and close them, over and over, beside the services."""

    def __init__(self, besieged: Besieged) -> None:
        self.visits = 0
        self._besieged = besieged
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._leaving.is_set():
            self._besieged.wrong += verify(self._besieged.url)
            self.visits += 1

    def leave(self) -> None:
        """Finish the visit."""
        self._leaving.set()
        self._thread.join()


def test_two_services_killed_and_stopped_in_turn_on_one_file_lose_nothing(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    cycles = 100 if long_run else 6
    url = sqlite_databases.new()
    rng = random.Random(9)
    with siege(nursery, folder, url, services=2, sabotage="fold often") as besieged:
        visitors = Visitors(besieged)
        try:
            for cycle in range(cycles):
                victim = besieged.services[cycle % 2]
                if cycle % 3 == 2:
                    assault(besieged, rng, cycle, victim.pause)
                    time.sleep(rng.uniform(0.05, 0.3))
                    victim.resume()
                    continue
                assault(besieged, rng, cycle, victim.kill)
                time.sleep(0.1)
                besieged.door.open.clear()
                victim.start()
                besieged.look()
                assert besieged.harm == [], f"after kill {cycle}"
        finally:
            visitors.leave()
        tally = besieged.report(
            "two services on one SQLite file", cycles=cycles, visits=visitors.visits
        )
    assert besieged.harm == []
    assert tally.unknown > 0
    assert tally.acked > 10 * cycles
    assert visitors.visits >= cycles


def create_once(_budget: object, url: str, ask: dict[str, Any]) -> None:
    """An errand: open the books, create a budget, close them."""
    from budget.engine.budget import Budget

    with Budget.open(url, sweep=False) as budget:
        budget.create_budget(**ask)


def come_and_go(_budget: object, url: str, name: str, seconds: float) -> list[str]:
    """An errand: open the books, hold, close them, as commands do; what was acknowledged."""
    from budget.engine.budget import Budget

    held: list[str] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with Budget.open(url, sweep=False) as budget:
            for _ in range(3):
                ask = {"allocation_id": f"{name}-{len(held)}", "tokens": 1}
                outcome = attempt(budget, ("allocate", ask))
                if outcome.kind == "ok":
                    held.append(outcome.id)
    return held


def test_processes_that_come_and_go_find_each_others_work_and_lose_none(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    """Whoever closes last folds the log and removes it, while others are about to open the file."""
    url = sqlite_databases.new()
    here = "tests.faults.test_shared_file:come_and_go"
    budget = {"name": "all", "policies": [{"unit": "tokens", "period": "total", "limit": 10**9}]}
    with Team(nursery, folder, 4) as team:
        team.workers[0].do("tests.faults.test_shared_file:create_once", url, budget)
        seconds = 30.0 if long_run else 1.5
        shares = [(url, f"w{n}", seconds) for n in range(4)]
        acked = {name for held in team.each(here, shares) for name in held}
    books = read_books(url)
    stored = {row[0] for row in books.allocations}
    report(
        "processes that come and go, SQLite",
        acked=len(acked), lost=len(acked - stored), phantom=len(stored - acked),
    )  # fmt: skip
    assert acked == stored
    assert len(acked) > 50
    assert misposted(books) == []
    assert verify(url) == []

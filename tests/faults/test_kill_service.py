"""kill -9 of the real service under load, on SQLite: what was acknowledged stays, once."""

import random
import time
from pathlib import Path

from tests.support.databases import SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.results import report
from tests.support.siege import assault, siege, verify

CYCLES = 50
CYCLES_LONG = 500


def test_fifty_kills_under_load_lose_nothing_and_overspend_nothing(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    """The service is forked from a process that has its imports done; one start in 25 is cold."""
    cycles = CYCLES_LONG if long_run else CYCLES
    url = sqlite_databases.new()
    rng = random.Random(1)
    began = time.monotonic()
    slowest = 0.0
    with siege(nursery, folder, url) as besieged:
        (service,) = besieged.services
        for cycle in range(cycles):
            assault(besieged, rng, cycle, service.kill)
            besieged.door.open.clear()
            warm = cycle % 25 != 7
            seconds = service.start() if warm else service.start_cold()
            slowest = max(slowest, seconds if warm else 0.0)
            besieged.look()
            besieged.wrong += verify(url)
            assert besieged.wrong == [], f"after kill {cycle}"
            assert besieged.over == 0, f"after kill {cycle}"
        besieged.crowd.leave()
        tally = besieged.look()
        besieged.wrong += verify(url)
    report(
        "kill -9 of the service, SQLite",
        cycles=cycles, sent=tally.sent, acked=tally.acked, refused=tally.refused,
        unknown=tally.unknown, lost=tally.lost, phantom=tally.phantom, over=besieged.over,
        dup=tally.dup, slowest_restart=slowest, seconds=time.monotonic() - began,
    )  # fmt: skip
    assert besieged.wrong == []
    assert (tally.lost, tally.phantom, tally.dup, besieged.over) == (0, 0, 0, 0)
    assert tally.unknown > cycles, "the kills met nobody in the middle of anything"
    assert tally.refused > 0, "no limit was ever reached"
    assert tally.acked > 10 * cycles


def test_a_service_that_answers_before_it_commits_is_found_out(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    url = sqlite_databases.new()
    rng = random.Random(2)
    lost = 0
    with siege(nursery, folder, url, sabotage="answer before commit") as besieged:
        (service,) = besieged.services
        for cycle in range(4):
            assault(besieged, rng, cycle, service.kill)
            besieged.door.open.clear()
            service.start()
            lost = max(lost, besieged.look().lost)
        besieged.crowd.leave()
    report("control: answers before commit", cycles=4, lost=lost)
    assert lost > 0

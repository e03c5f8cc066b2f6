"""kill -9 of the real service under load, on SQLite: what was acknowledged stays, once."""

import random
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
            assert besieged.harm == [], f"after kill {cycle}"
        tally = besieged.report(
            "kill -9 of the service, SQLite", cycles=cycles, slowest_restart=slowest
        )
    assert besieged.harm == []
    assert tally.unknown > cycles / 2, "the kills met nobody in the middle of anything"
    assert tally.refused > 0, "no limit was ever reached"
    assert tally.acked > 10 * cycles


def test_a_service_that_answers_before_it_commits_is_found_out(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    url = sqlite_databases.new()
    rng = random.Random(2)
    cycle = lost = 0
    with siege(nursery, folder, url, sabotage="answer before commit") as besieged:
        (service,) = besieged.services
        while not lost and cycle < 20:
            assault(besieged, rng, cycle, service.kill)
            besieged.door.open.clear()
            service.start()
            lost = besieged.look().lost
            cycle += 1
    report("control: answers before commit", cycles=cycle, lost=lost)
    assert lost > 0

"""kill -9 of the real service under load, on SQLite: what was acknowledged stays, once."""

import random
from pathlib import Path

from tests.support.databases import SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.results import report
from tests.support.siege import Besieged, assault, siege, verify

CYCLES, LONG_CYCLES = 20, 50
ROUNDS = 10
"""Rounds of a long run, each on a ledger of its own: 500 kills."""


def test_kills_under_load_lose_nothing_and_overspend_nothing(
    sqlite_databases: SqliteDatabases, nursery: Nursery, tmp_path: Path, long_run: bool
) -> None:
    """The service is forked from a process that has its imports done; one start in 25 is cold."""
    cycles = LONG_CYCLES if long_run else CYCLES
    for seed in range(ROUNDS if long_run else 1):
        folder = tmp_path / f"round-{seed}"
        folder.mkdir()
        with siege(nursery, folder, sqlite_databases.new(), seed=seed) as besieged:
            slowest = kill_again_and_again(besieged, random.Random(seed), cycles)
            tally = besieged.report(
                "kill -9 of the service, SQLite", cycles=cycles, slowest_restart=slowest
            )
        assert besieged.harm == []
        assert tally.unknown > cycles / 2, "the kills met nobody in the middle of anything"
        assert tally.refused > 0, "no limit was ever reached"
        assert tally.acked > 10 * cycles


def kill_again_and_again(besieged: Besieged, rng: random.Random, cycles: int) -> float:
    """Kill, start again, look and verify; the slowest warm start in seconds."""
    (service,) = besieged.services
    slowest = 0.0
    for cycle in range(cycles):
        assault(besieged, rng, cycle, service.kill)
        besieged.door.open.clear()
        if cycle % 25 == 7:
            service.start_cold()
        else:
            slowest = max(slowest, service.start())
        besieged.look()
        besieged.wrong += verify(besieged.url)
        assert besieged.harm == [], f"after kill {cycle}"
    return slowest


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

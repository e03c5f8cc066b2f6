"""Two services on one PostgreSQL: one is killed again and again, and nothing is lost."""

import random
import time
from pathlib import Path

from tests.support.databases import PostgresDatabases
from tests.support.nursery import Nursery
from tests.support.results import report
from tests.support.siege import assault, siege, verify
from tests.support.workers import migrate


def test_clients_go_to_the_other_service_when_theirs_is_killed(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    cycles = 100 if long_run else 10
    url = postgres_databases.new(migrate)
    rng = random.Random(3)
    began = time.monotonic()
    with siege(nursery, folder, url, services=2) as besieged:
        for cycle in range(cycles):
            victim = besieged.services[cycle % 2]
            assault(besieged, rng, cycle, victim.kill)
            time.sleep(0.1)  # the other one carries on alone, with the resent requests too
            besieged.door.open.clear()
            victim.start()
            besieged.look()
            assert besieged.wrong == [], f"after kill {cycle}"
        besieged.crowd.leave()
        tally = besieged.look()
        besieged.wrong += verify(url)
    report(
        "kill -9 of one of two services, PostgreSQL",
        cycles=cycles, sent=tally.sent, acked=tally.acked, refused=tally.refused,
        unknown=tally.unknown, lost=tally.lost, phantom=tally.phantom, over=besieged.over,
        dup=tally.dup, seconds=time.monotonic() - began,
    )  # fmt: skip
    assert besieged.wrong == []
    assert (tally.lost, tally.phantom, tally.dup, besieged.over) == (0, 0, 0, 0)
    assert tally.unknown > 0
    assert tally.acked > 10 * cycles

"""Two services on one PostgreSQL: one is killed, then PostgreSQL itself; nothing is lost."""

import random
import time
from pathlib import Path

from tests.support.databases import PostgresDatabases
from tests.support.nursery import Nursery
from tests.support.postgres import Cluster
from tests.support.results import report
from tests.support.siege import assault, siege, verify


def test_clients_go_to_the_other_service_when_theirs_is_killed(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    cycles = 100 if long_run else 10
    url = postgres_databases.new()
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


def test_services_outlive_the_crash_of_their_postgres(
    postgres_cluster: Cluster, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    crashes = 20 if long_run else 3
    rng = random.Random(4)
    began = time.monotonic()
    slowest = 0.0
    with siege(nursery, folder, postgres_cluster.url, services=2) as besieged:
        for crash in range(crashes):
            assault(besieged, rng, crash, lambda: postgres_cluster.stop(crash=True))
            time.sleep(0.3)  # the crowd goes on asking, and hears 503
            ready = [service.status_of("/ready") for service in besieged.services]
            assert ready == [503, 503], ready
            postgres_cluster.start()
            back = time.monotonic()
            while [service.status_of("/ready") for service in besieged.services] != [200, 200]:
                assert time.monotonic() < back + 10, "the services do not come back"
                time.sleep(0.01)
            slowest = max(slowest, time.monotonic() - back)
            time.sleep(0.1)
        besieged.crowd.leave()
        tally = besieged.look()
        besieged.wrong += verify(besieged.url)
    report(
        "crash of PostgreSQL under two services",
        crashes=crashes, sent=tally.sent, acked=tally.acked, refused=tally.refused,
        unknown=tally.unknown, unavailable=tally.unavailable, lost=tally.lost,
        phantom=tally.phantom, over=besieged.over, dup=tally.dup, slowest_return=slowest,
        seconds=time.monotonic() - began,
    )  # fmt: skip
    assert besieged.wrong == []
    assert (tally.lost, tally.phantom, tally.dup, besieged.over) == (0, 0, 0, 0)
    assert tally.unavailable > 0
    assert tally.acked > 10 * crashes

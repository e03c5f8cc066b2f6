"""Two services on one PostgreSQL, harmed in turn under load: nothing is lost, nothing overspent."""

import random
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import PostgresDatabases
from tests.support.load import Client
from tests.support.nursery import Nursery
from tests.support.services import Service
from tests.support.siege import assault, siege
from tests.support.workers import migrate


def test_clients_go_to_the_other_service_when_theirs_is_killed(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    cycles = 100 if long_run else 10
    url = postgres_databases.new(migrate)
    rng = random.Random(3)
    with siege(nursery, folder, url, services=2) as besieged:
        for cycle in range(cycles):
            victim = besieged.services[cycle % 2]
            assault(besieged, rng, cycle, victim.kill)
            time.sleep(0.1)  # the other one carries on alone, with the resent requests too
            besieged.door.open.clear()
            victim.start()
            besieged.look()
            assert besieged.harm == [], f"after kill {cycle}"
        tally = besieged.report("kill -9 of one of two services, PostgreSQL", cycles=cycles)
    assert besieged.harm == []
    assert tally.unknown > 0
    assert tally.acked > 10 * cycles


def test_a_service_that_is_stopped_in_the_middle_and_goes_on_does_no_harm(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    """SIGSTOP, as when a machine swaps or a laptop sleeps: it may hold locks all the while."""
    cycles = 50 if long_run else 4
    url = postgres_databases.new(migrate)
    rng = random.Random(6)
    with siege(nursery, folder, url, services=2) as besieged:
        for cycle in range(cycles):
            victim = besieged.services[cycle % 2]
            assault(besieged, rng, cycle, victim.pause)
            time.sleep(rng.uniform(0.1, 0.5))
            victim.resume()
        tally = besieged.report("SIGSTOP of one of two services, PostgreSQL", cycles=cycles)
    assert besieged.harm == []
    assert tally.acked > 10 * cycles


def test_connections_ended_and_queries_cancelled_by_an_operator_do_no_harm(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    """pg_terminate_backend and pg_cancel_backend, every 20 ms, on whoever is at work."""
    seconds = 60.0 if long_run else 2.0
    url = postgres_databases.new(migrate)
    rng = random.Random(8)
    struck = 0
    with siege(nursery, folder, url, services=2) as besieged:
        with closing(psycopg.connect(url, autocommit=True)) as operator:
            besieged.door.open.set()
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                besieged.door.session = f"s{struck // 10}"
                time.sleep(0.02)
                struck += strike_a_backend(operator, rng)
        tally = besieged.report("backends ended and queries cancelled, PostgreSQL", struck=struck)
    assert besieged.harm == []
    assert struck > 5 * seconds
    assert tally.unavailable + tally.unknown > 0, "no strike met anybody at work"
    assert tally.acked > 10 * seconds


def strike_a_backend(operator: psycopg.Connection, rng: random.Random) -> int:
    """Cancel what a random backend of this database does, or end it; how many were struck."""
    act = rng.choice(("pg_cancel_backend", "pg_terminate_backend"))
    rows = operator.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " ORDER BY state = 'active' DESC, random() LIMIT 1"
    ).fetchall()
    for (pid,) in rows:
        operator.execute(psycopg.sql.SQL("SELECT {}(%s)").format(psycopg.sql.SQL(act)), [pid])
    return len(rows)


@pytest.mark.faults
def test_a_service_that_freezes_with_locks_held_stops_the_other_for_ten_seconds_at_most(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path
) -> None:
    """As when its machine freezes or the network between is cut: PostgreSQL hears nothing of it."""
    url = postgres_databases.new(migrate)
    # Batches that take 30 ms before they commit are easier to freeze in the middle.
    with siege(nursery, folder, url, services=2, clients=4, sabotage="commit slowly") as besieged:
        frozen, _ = besieged.services
        others = besieged.crowd.clients[1::2]  # they have the second service
        besieged.door.open.set()
        time.sleep(0.5)
        frozen_at = freeze_with_locks_held(frozen, others)
        while not any(served_after(client, frozen_at) for client in others):
            assert time.monotonic() < frozen_at + 25, "nobody ended the frozen session"
            time.sleep(0.01)
        seconds = time.monotonic() - frozen_at
        frozen.resume()
        besieged.report("frozen with locks held, PostgreSQL", served_after=seconds)
    assert besieged.harm == []


def freeze_with_locks_held(service: Service, others: list[Client]) -> float:
    """Pause the service, over and over, until that keeps the others waiting; since when."""
    while True:
        service.pause()
        paused_at = time.monotonic()
        time.sleep(0.4)
        if not any(served_after(client, paused_at + 0.1) for client in others):
            return paused_at + 0.1
        service.resume()
        time.sleep(0.037)


def served_after(client: Client, moment: float) -> bool:
    """Whether the client's last answer came after that, and was more than a 503."""
    last = client.answers[-1]
    return last.done_at > moment and last.status not in (0, 503)

"""PostgreSQL is absent, stops or crashes: 503 meanwhile, nothing lost, no restart of ours."""

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from budget.domain.errors import Unavailable
from budget.engine.budget import Budget
from tests.support.nursery import Nursery
from tests.support.oracle import misposted, read_books
from tests.support.postgres import (
    Cluster,
    PostgresMissing,
    PostgresServer,
    database_name,
    start_cluster,
)
from tests.support.ram_disk import ram_disk
from tests.support.results import report
from tests.support.siege import assault, siege
from tests.support.workers import Outcome, attempt, verify

BUDGET: dict[str, Any] = {
    "name": "patience",
    "scope": {"org": "wait"},
    "policies": [{"unit": "tokens", "period": "total", "limit": 10**9}],
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL to stop and crash, shared by the tests of this file."""
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(start_cluster(parent=ram_disk()))
        except PostgresMissing as missing:
            pytest.skip(f"no PostgreSQL: {missing}")
        yield started


@pytest.fixture
def url(cluster: Cluster) -> str:
    """An empty database on it."""
    return PostgresServer(cluster.url).create_database()


def make_commits_slow(url: str) -> None:
    """Let each COMMIT wait 30 ms before it is forced to the disk: crashes meet some there."""
    alter = sql.SQL("ALTER DATABASE {} SET {} = {}")
    name = sql.Identifier(database_name(url))
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in (("commit_delay", 30_000), ("commit_siblings", 0)):
            connection.execute(alter.format(name, sql.Identifier(setting), value))


def hold(budget: Budget, name: str) -> Outcome:
    """Hold one token under a name."""
    ask = {"allocation_id": name, "attributes": {"org": "wait"}, "tokens": 1}
    return attempt(budget, ("allocate", ask))


def test_postgres_gone_at_start_is_said_at_once_and_the_next_start_succeeds(
    cluster: Cluster, url: str
) -> None:
    cluster.stop()
    began = time.monotonic()
    with pytest.raises(Unavailable) as told:
        Budget.open(url)
    seconds = time.monotonic() - began
    cluster.start()
    with Budget.open(url) as budget:
        budget.create_budget(**BUDGET)
        outcome = hold(budget, "first")
    report("PostgreSQL gone at start", told_after=seconds)
    assert told.value.retry_after_seconds >= 1
    assert outcome.kind == "ok"


def test_postgres_gone_later_is_503_until_it_is_back_and_needs_no_restart(
    cluster: Cluster, url: str
) -> None:
    with Budget.open(url) as budget:
        budget.create_budget(**BUDGET)
        acked = {name for name in ("a", "b") if hold(budget, name).kind == "ok"}
        outcomes = []
        for crash in (False, True):
            cluster.stop(crash=crash)
            gone = [hold(budget, f"gone-{crash}-{n}") for n in range(3)]
            reads = attempt(budget, ("status", {"org": "wait"}))
            outcomes += [*gone, reads]
            cluster.start()
            back = hold(budget, f"back-{crash}")
            again = [hold(budget, f"gone-{crash}-{n}") for n in range(3)]
            assert [o.kind for o in (back, *again)] == ["ok"] * 4, (back, again)
            assert not any(o.replayed for o in again), "a call that got 503 was booked"
            acked |= {f"back-{crash}"} | {f"gone-{crash}-{n}" for n in range(3)}
        assert attempt(budget, ("status", {"org": "wait"})).kind == "ok"
        found = verify(budget)
    report(
        "PostgreSQL gone and back",
        unavailable=sum(o.kind == "unavailable" for o in outcomes),
        slowest=max(o.seconds for o in outcomes),
    )  # fmt: skip
    assert {o.kind for o in outcomes} == {"unavailable"}, outcomes
    books = read_books(url)
    assert {row[0] for row in books.allocations} == acked
    assert misposted(books) == []
    assert found == []


def test_services_outlive_the_crash_of_their_postgres(
    cluster: Cluster, url: str, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    crashes = 20 if long_run else 2
    rng = random.Random(4)
    slowest = 0.0
    make_commits_slow(url)
    with siege(nursery, folder, url, services=2) as besieged:
        for crash in range(crashes):
            assault(besieged, rng, crash, lambda: cluster.stop(crash=True))
            time.sleep(1.1)  # the crowd goes on asking, and hears 503; /ready looks once a second
            ready = [service.status_of("/ready") for service in besieged.services]
            assert ready == [503, 503], ready
            cluster.start()
            back = time.monotonic()
            while not besieged.served_since(back):
                assert time.monotonic() < back + 10, "the services do not come back"
                time.sleep(0.005)
            slowest = max(slowest, time.monotonic() - back)
            time.sleep(0.1)
        tally = besieged.report(
            "crash of PostgreSQL under two services", crashes=crashes, slowest_return=slowest
        )
    assert besieged.harm == []
    assert tally.unavailable > 0
    assert tally.unknown > 0, "no crash met a COMMIT under way"
    assert tally.acked > 10 * crashes


def test_a_ledger_that_does_not_wait_for_the_disk_loses_what_it_acknowledged(
    cluster: Cluster, url: str, nursery: Nursery, folder: Path
) -> None:
    rng = random.Random(5)
    crash = lost = 0
    with siege(nursery, folder, url, sabotage="do not wait for the disk") as besieged:
        while not lost and crash < 5:
            assault(besieged, rng, crash, lambda: cluster.stop(crash=True))
            besieged.door.open.clear()
            cluster.start()
            lost = besieged.look().lost
            crash += 1
    report("control: does not wait for the disk", crashes=crash, lost=lost)
    assert lost > 0

"""Processes that lock overlapping chains, as calls come, must never block each other."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.support.churn import Place
from tests.support.databases import PostgresDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import misposted, read_books
from tests.support.results import report
from tests.support.workers import Team, migrate

PLACE = Place("hunt", teams=3, users=4)


def overlapping_budgets() -> list[dict[str, object]]:
    """Twelve budgets; a call meets a random part of them, split in different ways."""
    pers: list[list[str]] = [
        [], ["team"], ["user"], ["team", "user"], ["project"], ["agent"], ["component"],
        ["project", "agent"], ["task"], ["session"], ["user", "session"], ["component", "task"],
    ]  # fmt: skip
    return [
        {
            "name": f"hunt {n}",
            "scope": {"org": "hunt"} if n % 2 else {"org": "hunt", "team": ["t0", "t1"]},
            "per": per,
            "policies": [
                {
                    "unit": ("usd", "tokens", "requests")[n % 3],
                    "period": ("total", "daily", "rolling:1h")[n % 3],
                    "limit": 1_000_000,
                    "enforcement": ("hard_limit", "warn")[n % 2],
                }
            ],
        }
        for n, per in enumerate(pers)
    ]


def hunt(team: Team, seconds: float, threads: int) -> tuple[Counter[str], Counter[str], list[str]]:
    """Churn in every process; outcomes, failed batches by SQLSTATE, and surprises."""
    team.workers[0].do("tests.support.races:create_budgets", overlapping_budgets())
    told = team.each(
        "tests.support.churn:churn",
        [(PLACE, seed, seconds, threads) for seed in range(len(team.workers))],
    )
    outcomes: Counter[str] = Counter()
    troubles: Counter[str] = Counter()
    for one in told:
        outcomes.update(one["outcomes"])
        troubles.update(one["troubles"])
    return outcomes, troubles, [words for one in told for words in one["surprises"]]


def deadlocks_counted_by_the_server(url: str) -> int:
    """PostgreSQL's own count for this database."""
    with closing(psycopg.connect(url)) as server:
        server.execute("SELECT pg_stat_force_next_flush()")
        row = server.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_random_overlapping_chains_from_three_processes_never_deadlock(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    url = postgres_databases.new(migrate)
    seconds = 60.0 if long_run else 3.0
    with Team(nursery, folder, 3).open(url) as team:
        outcomes, troubles, surprises = hunt(team, seconds, threads=16)
        found = team.workers[0].do("tests.support.workers:verify")
    deadlocks = deadlocks_counted_by_the_server(url)
    books = read_books(url)
    report(
        "deadlock hunt, 3 processes",
        seconds=seconds,
        booked=outcomes["ok"],
        refused=outcomes["refused"],
        conflicts=outcomes["conflict"],
        retried=sum(troubles.values()),
        for_sqlstates="+".join(sorted(troubles)) or "none",
        deadlocks=deadlocks,
        surfaced=len(surprises),
    )
    assert surprises == []
    assert deadlocks == 0
    assert outcomes["ok"] > 30 * seconds
    assert found == []
    assert misposted(books) == []


@pytest.mark.faults  # beside other tests the collisions it needs do not always come
def test_with_locks_in_any_order_the_hunt_finds_deadlocks(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path
) -> None:
    url = postgres_databases.new(migrate)
    hunts = deadlocks = 0
    with Team(nursery, folder, 3, sabotage="lock in any order").open(url) as team:
        while not deadlocks and hunts < 10:  # on a busy machine two may not meet at once
            hunt(team, 2.0, threads=16)
            hunts += 1
            deadlocks = deadlocks_counted_by_the_server(url)
    report("control: locks in any order", hunts=hunts, deadlocks=deadlocks)
    assert deadlocks > 0

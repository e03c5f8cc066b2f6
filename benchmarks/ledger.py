"""The ledger in one process: throughput, latency, what a batch and a large catalogue cost."""

import asyncio
import contextlib
import multiprocessing
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.books import CALLERS, call, call_sync, prices, three_levels
from benchmarks.figures import Figure, median_of, percentile
from budget.engine.budget import AsyncBudget, Budget

SECONDS = 4.0


@contextlib.contextmanager
def sqlite_url() -> Iterator[str]:
    """A fresh database on the disk that temporary files live on."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/bench.db"


def throughput(url: str, *, callers: int = CALLERS, seconds: float = SECONDS) -> float:
    """Commands per second (allocate and settle) of so many callers waiting on one event loop."""

    async def drive() -> float:
        async with await AsyncBudget.open(url, prices=prices()) as budget:
            done = 0
            ends_at = time.perf_counter() + seconds + 1.0

            async def caller(user: int) -> None:
                nonlocal done
                while time.perf_counter() < ends_at:
                    await call(budget, user)
                    done += 2

            tasks = [asyncio.create_task(caller(number)) for number in range(callers)]
            await asyncio.sleep(1.0)
            before, since = done, time.perf_counter()
            await asyncio.sleep(seconds - 0.1)
            rate = (done - before) / (time.perf_counter() - since)
            await asyncio.gather(*tasks)
            return rate

    return uvloop.run(drive())


def prepared(url: str, *, others: int = 0) -> None:
    """Create the three levels (and `others`)."""
    with Budget.open(url, prices=prices()) as budget:
        three_levels(budget.create_budget, others=others)


def one_caller_ms(url: str, calls: int = 1500) -> list[float]:
    """Milliseconds of each command of a single caller."""
    took = []
    with Budget.open(url, prices=prices()) as budget:
        for number in range(calls):
            since = time.perf_counter()
            call_sync(budget, number)
            took.append((time.perf_counter() - since) * 500)
    return took


def raw_batch_ms(url: str, path: Path, commands: int = 64, rounds: int = 60) -> float:
    """Milliseconds to insert the rows of such a batch with plain sqlite3, as durably."""
    source = sqlite3.connect(url.removeprefix("sqlite:///"))
    columns = {}
    kept: dict[str, list[tuple[Any, ...]]] = {}
    for table, share in (("entries", 64), ("allocations", 32), ("usage", 32), ("keys", 64)):
        query = f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT ?"
        if table != "entries":
            query = f"SELECT * FROM {table} LIMIT ?"
        kept[table] = source.execute(query, (share,)).fetchall()
        columns[table] = source.execute(
            "SELECT sql FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()[0]
    source.close()
    target = sqlite3.connect(path, isolation_level=None)
    target.execute("PRAGMA journal_mode=WAL")
    target.execute("PRAGMA synchronous=FULL")
    target.execute("PRAGMA wal_autocheckpoint=0")
    for sql in columns.values():
        target.execute(sql)
    took = []
    for number in range(rounds):
        rows = {
            table: [_renamed(row, number, commands) for row in found]
            for table, found in kept.items()
        }
        since = time.perf_counter()
        target.execute("BEGIN IMMEDIATE")
        for table, found in rows.items():
            marks = ",".join("?" * len(found[0]))
            target.executemany(f"INSERT INTO {table} VALUES ({marks})", found)
        target.execute("COMMIT")
        took.append((time.perf_counter() - since) * 1000)
    target.close()
    return statistics.median(took)


def _renamed(row: tuple[Any, ...], number: int, commands: int) -> tuple[Any, ...]:
    """The row under a key of its own, so that it can be inserted again."""
    if isinstance(row[0], int):
        return (row[0] + (number + 1) * commands * 1000, *row[1:])
    if len(row) == 6:
        return (*row[:2], f"{row[2]}-{number}", *row[3:])
    return (f"{row[0]}-{number}", *row[1:])


def batch_ms(url: str, commands: int = 64, rounds: int = 60) -> float:
    """Milliseconds for `commands` commands submitted at once to be answered."""

    async def drive() -> float:
        async with await AsyncBudget.open(url, prices=prices()) as budget:
            took = []
            for _ in range(rounds):
                pairs = [call(budget, user) for user in range(commands)]
                since = time.perf_counter()
                await asyncio.gather(*pairs)  # one batch of allocations, one of settlements
                took.append((time.perf_counter() - since) * 500)
            return statistics.median(took)

    return uvloop.run(drive())


def on_sqlite() -> Iterator[Figure]:
    """The figures of the ledger on SQLite."""
    with sqlite_url() as url, tempfile.TemporaryDirectory() as folder:
        prepared(url)
        rate = median_of(lambda: throughput(url), 3)
        yield Figure("SQLite: commands/s, 64 callers, six legs", rate, "/s", 10_000)
        took = one_caller_ms(url)
        yield Figure("SQLite: p50 with one caller", percentile(took, 0.5), "ms", 0.8, False)
        yield Figure("SQLite: p99 with one caller", percentile(took, 0.99), "ms")
        batch = batch_ms(url)
        raw = raw_batch_ms(url, Path(folder) / "raw.db")
        yield Figure(
            "SQLite: batch of 64 against raw inserts of its rows", batch / raw, "x", 4, False,
            note=f"({batch:.1f} ms against {raw:.1f} ms)",
        )  # fmt: skip


def large_catalogue() -> Iterator[Figure]:
    """What 10,000 budgets cost an allocation, against 10."""
    with sqlite_url() as small, sqlite_url() as large:
        prepared(small, others=7)
        prepared(large, others=9_997)
        ratios = []
        for _ in range(3):
            few = throughput(small, seconds=3)
            ratios.append(few / throughput(large, seconds=3))
        slower = (statistics.median(ratios) - 1) * 100
        yield Figure("10,000 budgets against 10: slower by", slower, "%", 20, False)


def on_postgres(url: str) -> Iterator[Figure]:
    """The figures of the ledger on PostgreSQL, from one process and from two."""
    prepared(url)
    alone = median_of(lambda: throughput(url), 3)
    yield Figure("PostgreSQL: commands/s, 64 callers", alone, "/s", 5_000)
    together = median_of(lambda: _two_processes(url), 3)
    yield Figure(
        "PostgreSQL: two processes, one hot budget, against one", together / alone, "x", 0.7,
        note=f"({together:,.0f}/s)",
    )  # fmt: skip


def _two_processes(url: str) -> float:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return sum(pool.map(throughput, [url, url]))


def main() -> None:
    """Quick look at one figure: `python -m benchmarks.ledger`."""
    with sqlite_url() as url:
        prepared(url)
        sys.stdout.write(f"{throughput(url):,.0f}/s\n")


if __name__ == "__main__":
    main()

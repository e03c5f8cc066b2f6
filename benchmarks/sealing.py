"""Sealing beside the ledger: what it costs the hot path, and how fast it is by itself."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.books import prices
from benchmarks.figures import Figure
from benchmarks.ledger import prepared, sqlite_url, throughput
from budget.engine.budget import Budget
from budget.engine.sealing import sealer
from budget.engine.verify import verify

ROUNDS = 3


def sealing() -> Iterator[Figure]:
    """The figures of sealing."""
    ratios = []
    with sqlite_url() as url:
        prepared(url)
        for _ in range(ROUNDS):
            without = throughput(url, seconds=6)
            with Budget.open(url, prices=prices()) as budget:
                budget.seal()
                with closing(sealer(budget.books)):
                    ratios.append(throughput(url, seconds=6) / without)
        yield Figure("sealing: commands/s with it to those without", statistics.median(ratios), "")
    with tempfile.TemporaryDirectory() as folder:
        yield from _by_itself(f"sqlite:///{Path(folder)}/bench.db")


def _by_itself(url: str) -> Iterator[Figure]:
    prepared(url)
    throughput(url, seconds=4)
    with Budget.open(url, prices=prices()) as budget:
        entries = budget.verify().entries
        since = time.perf_counter()
        verify(budget.books.database)
        unsealed_seconds = time.perf_counter() - since
        since = time.perf_counter()
        budget.seal()
        yield Figure("sealing: entries/s by itself", entries / (time.perf_counter() - since), "/s")
        since = time.perf_counter()
        assert budget.verify().clean
        sealed_seconds = time.perf_counter() - since
        yield Figure(
            "verify: time with seals to that without", sealed_seconds / unsealed_seconds, ""
        )

"""Reading: how long it takes to sum up a million usage records, and to list some of them.

The records lie in the tables as the ledger would have written them over 30 days, in 200 series.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine

from benchmarks.figures import Figure
from budget.engine.budget import Budget
from budget.engine.rows import DAY_US, HOUR_US, series_of
from budget.prices.book import PriceBook
from budget.storage import schema

RECORDS: Final = 1_000_000
DAYS: Final = 30
SERIES: Final = 200
START_US: Final = 1_800_000_000_000_000 // DAY_US * DAY_US
_BATCH: Final = 20_000


def reading() -> Iterable[Figure]:
    """Summaries and lists on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'budget.db'}"
        now_us = START_US + DAYS * DAY_US + HOUR_US // 2
        with Budget.open(url, clock=lambda: now_us, prices=PriceBook(None), sweep=False) as books:
            _fill(url)
            span: Any = {"since": "2027-01-15T00:30:00Z"}
            asked: dict[str, Callable[[], Any]] = {
                "by model": lambda: books.usage_summary(**span, group_by="model"),
                "as Tekton has it": lambda: books.usage_summary(**span),
                "by team and day": lambda: books.usage_summary(
                    **span, group_by="team", bucket="day", timezone="Asia/Kolkata"
                ),
                "by session (from records)": lambda: books.usage_summary(
                    **span, group_by="session"
                ),
                "100 records of a team": lambda: books.usage_records(attributes={"team": "team7"}),
                "100 records of a session": lambda: books.usage_records(session="s7"),
            }
            for name, read in asked.items():
                yield Figure(f"reading 1M records: {name}", _seconds(read) * 1000, "ms")
            books.set_limit(period="monthly", limit="100")
        command = [sys.executable, "-m", "budget", "status", "--target", url]
        status = _seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        yield Figure(
            "budget status on 1M records, from start to end",
            status * 1000,
            "ms",
            500,
            at_least=False,
        )


def _seconds(read: Callable[[], Any]) -> float:
    """The best of three."""
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        read()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _fill(url: str) -> None:
    attributes = [
        {"team": f"team{n % 20}", "user": f"user{n}", "model": f"model{n % 10}", "provider": "p"}
        for n in range(SERIES)
    ]
    texts = [json.dumps(one, separators=(",", ":"), sort_keys=True) for one in attributes]
    series = [series_of(text) for text in texts]
    engine = create_engine(url)
    with engine.begin() as connection:
        for start in range(0, RECORDS, _BATCH):
            some = list(_records(start, texts))
            connection.execute(schema.usage.insert(), some)
        names = [column.name for column in schema.series.columns]
        connection.execute(
            schema.series.insert(), [dict(zip(names, one, strict=True)) for one in series]
        )
        for grain, width_us in (("hour", HOUR_US), ("day", DAY_US)):
            connection.execute(schema.rollups.insert(), list(_rollups(grain, width_us, series)))
    engine.dispose()


def _records(start: int, texts: list[str]) -> Iterator[dict[str, Any]]:
    for n in range(start, start + _BATCH):
        at_us = START_US + n * (DAYS * DAY_US // RECORDS)
        which = n % SERIES
        yield {
            "id": f"use_{n:012}", "entry_id": n, "actor": "a", "recorded_us": at_us,
            "occurred_us": at_us, "attributes": texts[which], "provider": "p",
            "model": f"model{which % 10}", "session": f"s{n % 50_000}", "input_tokens": 100,
            "output_tokens": 10, "cache_read_tokens": 0, "cache_write_tokens": 0,
            "cache_write_1h_tokens": 0, "reasoning_tokens": 0, "requests": 1, "cost_nanos": 1000,
            "flags": "unreserved", "final": 1, "request_hash": "", "metadata": "{}", "units": "{}",
        }  # fmt: skip


def _rollups(grain: str, width_us: int, series: list[Any]) -> Iterator[dict[str, Any]]:
    count = RECORDS * width_us // (DAYS * DAY_US) // SERIES
    for start_us in range(START_US, START_US + DAYS * DAY_US, width_us):
        for one in series:
            yield {
                "grain": grain, "start_us": start_us, "series_id": one[0], "records": count,
                "requests": count, "input_tokens": 100 * count, "output_tokens": 10 * count,
                "cache_read_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0,
                "cost_nanos": 1000 * count, "unpriced": 0,
            }  # fmt: skip

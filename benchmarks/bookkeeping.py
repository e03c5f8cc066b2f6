"""Bookkeeping: a million records imported, exported, tried, copied and checked by the command.

Each command is a process of its own; what it takes is told in seconds, and its memory at its most.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.figures import Figure
from budget.domain.windows import to_rfc3339

RECORDS: Final = 1_000_000
_SPACING_US: Final = 30_000_000
_COLUMNS: Final = (
    "id", "occurred_at", "provider", "model", "input_tokens", "output_tokens", "team", "user",
)  # fmt: skip


class Ran(NamedTuple):
    """What a command took."""

    seconds: float
    most_megabytes: float


def _write_usage(file: Path) -> None:
    """A call every half a minute, for about a year, by a hundred users."""
    first_us = time.time_ns() // 1000 - RECORDS * _SPACING_US
    with file.open("w", newline="") as sink:
        rows = csv.writer(sink)
        rows.writerow(_COLUMNS)
        for number in range(RECORDS):
            model = "gpt-4o" if number % 3 else "gpt-4o-mini"
            rows.writerow((
                f"call-{number}", to_rfc3339(first_us + number * _SPACING_US), "openai", model,
                1000 + number % 777, 100 + number % 99, f"team-{number % 10}",
                f"user-{number % 100}",
            ))  # fmt: skip


def _run(folder: Path, target: str, *words: str) -> Ran:
    command = [sys.executable, "-m", "budget", "--target", target, *words]
    began = time.perf_counter()
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        said.seek(0)
        assert process.returncode == 0, said.read()
    return Ran(seconds, used.ru_maxrss / 1024)


def bookkeeping() -> Iterator[Figure]:
    """Where a user has a hard limit by the month."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_usage(folder / "usage.csv")
        target = f"sqlite:///{folder / 'books.db'}"
        limits = ("--limit", "1000/monthly", "--per", "user", "--hard")
        _run(folder, target, "budgets", "create", "Users", *limits)
        other = f"sqlite:///{folder / 'other.db'}"
        tried = ("simulate", "--limit", "1/daily", "--per", "user", "--hard", "--from")
        since = to_rfc3339(time.time_ns() // 1000 - (RECORDS + 1) * _SPACING_US)
        for what, goal, to, words in (
            ("import csv", 5000, target, ("import", "csv", "usage.csv")),
            ("export csv", None, target, ("export", "csv", "--output", "out.csv")),
            ("export parquet", None, target, ("export", "parquet", "--output", "out.parquet")),
            ("simulate", None, target, (*tried, since)),
            ("backup", None, target, ("backup", "copy.db")),
            ("restore", None, other, ("restore", "copy.db")),
            ("verify", None, target, ("verify",)),
        ):
            took = _run(folder, to, *words)
            yield Figure(
                f"{what}: records/s of {RECORDS:,}", RECORDS / took.seconds, "/s", goal,
                note=f"{took.seconds:.1f} s, at most {took.most_megabytes:.0f} MB",
            )  # fmt: skip

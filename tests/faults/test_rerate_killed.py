"""kill -9 in the middle of a re-rating: run again it goes on, and nothing is booked twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from budget.engine.budget import Budget
from budget.engine.snapshots import snapshot
from budget.storage import schema
from tests.engine.opened import MILLI, PRICES, balances
from tests.engine.test_rerating import DOUBLE, START
from tests.support.command import clean_environ
from tests.support.databases import Databases

RECORDS = 1_500
AGAIN = """
import sys
from budget.engine.budget import Budget
from tests.engine.opened import PRICES
from tests.engine.test_rerating import DOUBLE, START

with Budget.open(sys.argv[1], prices=PRICES, sweep=False) as books:
    books.rerate(since=START, book=DOUBLE, apply=True, reason="twice the price")
"""


def corrected(books: Budget) -> int:
    """How many records were reversed."""
    reversals = select(func.count()).where(schema.usage.c.reverses.is_not(None))
    with snapshot(books.books.database) as connection:
        return connection.scalar(reversals) or 0


@pytest.mark.faults
def test_killed_again_and_again_it_ends_with_each_record_corrected_once(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.new()
    rng = random.Random(7)
    with Budget.open(url, prices=PRICES, sweep=False) as books:
        policy: dict[str, str] = {"unit": "usd", "period": "total", "limit": "1000"}
        (made,) = books.create_budget(name="B", policies=[policy]).policies  # type: ignore[list-item]
        for _ in range(RECORDS):
            books.record_usage(model="m", input_tokens=1, output_tokens=0)
        kills = 0
        while kills < 5:
            before = corrected(books)
            process = subprocess.Popen(
                [sys.executable, "-c", AGAIN, url], env=clean_environ(tmp_path)
            )
            while corrected(books) < before + rng.randint(1, 150) and process.poll() is None:
                time.sleep(0.001)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
            kills += 1
            assert books.verify().violations == ()
        assert 0 < corrected(books) < RECORDS, "the kills met it in the middle"
        left = RECORDS - corrected(books)
        last = books.rerate(since=START, book=DOUBLE, apply=True, reason="r")
        assert (last.booked, corrected(books)) == (left, RECORDS)
        (view,) = balances(books, made.policy_id)
        assert view.spent == 2 * RECORDS * MILLI
        assert books.verify().violations == ()

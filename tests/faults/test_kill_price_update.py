"""kill -9 of a process that applies new prices: the old book is in force or the new, no mix."""

import random
import threading
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, select

from budget.engine.books import Books
from budget.engine.budget import Budget
from budget.storage import schema
from budget.storage.database import open_database
from tests.support.databases import Databases
from tests.support.nursery import Nursery
from tests.support.priced import Source
from tests.support.results import report

MODELS: Final = 300
KILLS: Final = 40
STEPS: Final = ("1", "1.5", "2", "1.25")
"""What all models cost, one after the other; no step is wild."""


def update_for_ever(url: str, file: str) -> None:
    """Apply one feed after the other until somebody ends this."""
    source = Source(Path(file))
    with Budget(Books.open(url, price_settings=source.settings, sweep=False)) as budget:
        step = 0
        while True:
            usd = STEPS[step % len(STEPS)]
            source.says({f"m{n}": (usd, usd) for n in range(MODELS)})
            budget.update_prices()
            step += 1


def migrate(url: str) -> None:
    """Make the tables of an empty database."""
    database = open_database(url)
    database.migrate()
    database.close()


@pytest.mark.faults
def test_a_process_killed_while_it_applies_prices_leaves_one_book_whole(
    databases: Databases, nursery: Nursery, tmp_path: Path
) -> None:
    url = databases.new(migrate)
    rng = random.Random(3)
    seen = set()
    for kill in range(KILLS):
        child = nursery.fork(
            "tests.faults.test_kill_price_update:update_for_ever",
            [url, str(tmp_path / "map.json")],
            log=tmp_path / f"{kill}.log",
        )
        threading.Event().wait(rng.uniform(0.5, 1.0))
        child.kill()
        seen |= look(url, tmp_path)
    report("kill -9 while prices are applied", kills=KILLS, books=len(seen))
    assert len(seen) > 1


def look(url: str, folder: Path) -> set[str]:
    """The basis in force, which is that of every model and of whole updates only."""
    source = Source(folder / "map.json")
    with Budget(Books.open(url, price_settings=source.settings, sweep=False)) as budget:
        assert budget.verify().violations == ()
        prices = budget.books.prices
        now_us = budget.books.database.now_us()
        found = [prices.lookup("groq", f"m{n}", now_us) for n in range(MODELS)]
        bases = {rates and rates.basis for rates in found}
        assert len({rates and (rates.input, rates.output) for rates in found}) == 1
        assert len(bases) == 1
        told = {one.source: one.basis for one in budget.price_sources()}
        assert bases == {told["litellm"]}
        with budget.books.database.engine.connect() as connection:
            for table, rows in ((schema.closed_prices, 1), (schema.price_updates, 2)):
                count = connection.execute(select(func.count()).select_from(table)).scalar_one()
                assert count % (rows * MODELS) == 0
    return {str(basis) for basis in bases if basis}

"""What tests of the database's price book share: a source that says what it is told to."""

from pathlib import Path

import pytest

from budget.engine.budget import Budget
from budget.engine.price_book.acts import keep_bundled
from tests.engine.opened import Clock, us
from tests.support.databases import Databases, SqliteDatabases
from tests.support.priced import FOUR, Source

NOON_US = us("2026-05-15 12:00")


def empty_books(url: str) -> None:
    """Fill an empty database with tables and the bundled prices, stored when the clock stands."""
    with Budget.open(url, clock=Clock(NOON_US), sweep=False) as opened:
        at = opened.books
        keep_bundled(at.database, at.ledger, at.shelf)


@pytest.fixture
def priced_url(databases: Databases) -> str:
    """Books that have the bundled prices; the test runs once per engine."""
    return databases.new(empty_books)


@pytest.fixture
def light_priced_url(sqlite_databases: SqliteDatabases) -> str:
    """The same on SQLite alone."""
    return sqlite_databases.new(empty_books)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A source that says the prices of four models."""
    made = Source(tmp_path / "map.json")
    made.says(FOUR)
    return made

"""Fixtures of the engine's tests: books on both engines, audited when the test is over."""

from collections.abc import Iterator

import pytest

from budget.engine.budget import Budget as Books
from budget.storage.database import open_database
from tests.engine.opened import Clock, open_books, us
from tests.support.databases import Databases, SqliteDatabases


def migrate(url: str) -> None:
    """Make the tables of an empty database."""
    database = open_database(url)
    database.migrate()
    database.close()


@pytest.fixture
def books_url(databases: Databases) -> str:
    """A database with empty tables; the test runs once per engine."""
    return databases.new(migrate)


@pytest.fixture
def clock() -> Clock:
    """Noon of 15 May 2026, a Friday, until it is moved."""
    return Clock(us("2026-05-15 12:00"))


@pytest.fixture
def books(books_url: str, clock: Clock) -> Iterator[Books]:
    """Open books on empty tables; what the test has done must leave them clean."""
    with open_books(books_url, clock) as opened:
        yield opened
        assert opened.verify().violations == ()


@pytest.fixture
def light_url(sqlite_databases: SqliteDatabases) -> str:
    """A database with empty tables on SQLite, for what no engine can make different."""
    return sqlite_databases.new(migrate)


@pytest.fixture
def light(light_url: str, clock: Clock) -> Iterator[Books]:
    """Open books on SQLite alone; what the test has done must leave them clean."""
    with open_books(light_url, clock) as opened:
        yield opened
        assert opened.verify().violations == ()

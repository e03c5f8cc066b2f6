"""Books for a neighbour to stand beside: on SQLite, in this process, at a time that stands."""

from collections.abc import Iterator

import pytest

from budget.engine.jobs import Books
from tests.engine.opened import PRICES, Clock, us
from tests.support.databases import SqliteDatabases


@pytest.fixture
def clock() -> Clock:
    """Noon of 15 May 2026, a Friday, until it is moved."""
    return Clock(us("2026-05-15 12:00"))


@pytest.fixture
def books(sqlite_databases: SqliteDatabases, clock: Clock) -> Iterator[Books]:
    """Open books, in which nothing expires unless it is asked for."""
    opened = Books.open(sqlite_databases.new(), clock=clock, prices=PRICES, sweep=False)
    yield opened
    opened.close()

"""What every test of storage may ask for: a migrated database, and units on it.

- `url`, `database`: a migrated database; the test runs once per engine.
- `new_unit`, `unit`: units on it, closed at the end.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from budget.storage.database import Database, open_database
from budget.storage.unit import Unit
from tests.support.databases import Databases
from tests.support.units import NewUnit, migrate


@pytest.fixture
def url(databases: Databases) -> str:
    return databases.new(migrate)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with closing(open_database(url)) as opened:
        yield opened


@pytest.fixture
def new_unit(database: Database) -> Iterator[NewUnit]:
    """Makes units on one database, and closes them."""
    made: list[Unit] = []

    def new() -> Unit:
        made.append(database.unit())
        return made[-1]

    yield new
    for unit in made:
        unit.close()


@pytest.fixture
def unit(new_unit: NewUnit) -> Unit:
    return new_unit()

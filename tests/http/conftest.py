"""What HTTP tests share: the real service in a thread on a free port, a client with a key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.running import Running, migrate, running
from tests.support.databases import Databases, SqliteDatabases, SqliteTemplates, sqlite_url


@pytest.fixture
def service(databases: Databases) -> Iterator[Running]:
    """The service on an empty database; the test runs once per engine."""
    with running(databases.new(migrate)) as started:
        yield started


@pytest.fixture
def fresh(sqlite_databases: SqliteDatabases) -> Iterator[Running]:
    """The service on an empty SQLite database."""
    with running(sqlite_databases.new(migrate)) as started:
        yield started


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """One service on SQLite for the tests of a file, which don't mind each other."""
    folder: Path = tmp_path_factory.mktemp("shared")
    with running(sqlite_url(folder / "budget.db")) as started:
        yield started

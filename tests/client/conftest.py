"""What tests of the client share: a real service, and both ways to its books."""

import shutil
from collections.abc import Iterator

import pytest

from tests.client.ways import Ways, ways
from tests.http.running import Running, migrate, running
from tests.support.databases import SqliteDatabases, SqliteTemplates, sqlite_url


@pytest.fixture
def service(sqlite_databases: SqliteDatabases) -> Iterator[Running]:
    """The service on an empty SQLite database."""
    with running(sqlite_databases.new(migrate)) as started:
        yield started


@pytest.fixture
def alone(service: Running) -> Iterator[Ways]:
    """Both ways to books of the test's own."""
    with ways(service) as found:
        yield found


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Ways]:
    """Both ways to the same books, for the tests of a file, which don't mind each other."""
    file = tmp_path_factory.mktemp("both") / "budget.db"
    shutil.copy(sqlite_templates.file_from(migrate), file)
    with running(sqlite_url(file)) as started, ways(started) as found:
        yield found

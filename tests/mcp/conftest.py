"""What tests of MCP share: a service with the prices that are bundled."""

from collections.abc import Iterator

import pytest

from budget.engine.price_book.settings import PriceSettings
from tests.http.running import Running, running
from tests.support.databases import SqliteDatabases, SqliteTemplates
from tests.support.priced import empty_books


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """A service for the tests of a file, which don't mind each other."""
    databases = SqliteDatabases(tmp_path_factory.mktemp("mcp"), sqlite_templates)
    with running(databases.new(empty_books), price_settings=PriceSettings()) as started:
        yield started

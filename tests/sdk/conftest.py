"""Books, and fake providers, for the tests of the SDK."""

from collections.abc import Iterator

import pytest

import budget
from budget import Budget
from tests.fakes.providers import Providers
from tests.support.databases import SqliteDatabases
from tests.support.priced import empty_books


@pytest.fixture(scope="session")
def running_providers() -> Iterator[Providers]:
    """Fake providers, one server for all tests of a worker."""
    with Providers() as running:
        yield running


@pytest.fixture
def providers(running_providers: Providers) -> Providers:
    """Fake providers with a new bill."""
    running_providers.forget()
    return running_providers


@pytest.fixture
def books(sqlite_databases: SqliteDatabases) -> Iterator[Budget]:
    """Open books that are the default ones of the process too."""
    with Budget.open(sqlite_databases.new(empty_books)) as opened:
        budget.configure(books=opened)
        yield opened
        budget.configure()

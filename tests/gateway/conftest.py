"""A service with a gateway, before fake providers that know what they would bill."""

from collections.abc import Iterator

import pytest

from tests.fakes.providers import Providers
from tests.gateway.through import Through, through
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
def gateway(sqlite_databases: SqliteDatabases, providers: Providers) -> Iterator[Through]:
    """A service whose gateway leads to the fake providers; its books are empty."""
    with through(sqlite_databases.new(empty_books), providers) as running:
        yield running

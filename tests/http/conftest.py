"""What HTTP tests share: the real service in a thread on a free port, a client with a key."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from budget.engine import keys
from budget.engine.jobs import Books
from budget.http.serve import listen, make_app, make_server, url_of
from budget.prices.book import PriceBook
from budget.storage.database import open_database
from tests.http.running import Running
from tests.support.databases import Databases, SqliteTemplates, sqlite_url


def migrate(url: str) -> None:
    database = open_database(url)
    database.migrate()
    database.close()


@contextlib.contextmanager
def running(target: str, *, hosts: frozenset[str] | None = None) -> Iterator[Running]:
    """The service over a database. No model has a price but those that a budget gives it.

    Nothing is swept, so that nothing is written but by what a test asks for.
    """
    books = Books.open(target, prices=PriceBook(None), sweep=False)
    key = keys.make_key()
    keys.add_key(books, key, name="test", scopes="admin")
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = make_server(make_app(books, port=port, instance="test", hosts=hosts))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = url_of("127.0.0.1", port)
    try:
        while not server.started:
            time.sleep(0.001)
        with httpx2.Client(base_url=url, trust_env=False, timeout=30) as client:
            client.headers["X-API-Key"] = key.text
            yield Running(url, key.text, books, client)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        books.close()


@pytest.fixture
def service(databases: Databases) -> Iterator[Running]:
    """The service on an empty database; the test runs once per engine."""
    with running(databases.new(migrate)) as started:
        yield started


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """One service on SQLite for the tests of a file, which don't mind each other."""
    folder: Path = tmp_path_factory.mktemp("shared")
    with running(sqlite_url(folder / "budget.db")) as started:
        yield started

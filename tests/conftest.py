"""What every test may ask for: a fresh database on each engine, and runs that are short or long.

- `database_url`: an empty database; the test runs once per engine.
- `databases`: the same, for tests that need several, or prepared ones: `databases.new(migrate)`.
- `sqlite_url`, `postgres_url`: an empty database on that engine alone.
- `postgres_server`: the server itself, one per worker.
- `postgres_cluster`: a server of the test's own, to stop, crash and start again.
- `long_run`: whether pytest was given `--faults`, for tests that repeat something N times.
"""

import contextlib
import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from tests.support.databases import (
    Databases,
    PostgresDatabases,
    SqliteDatabases,
    SqliteTemplates,
)
from tests.support.postgres import (
    Cluster,
    PostgresMissing,
    PostgresServer,
    start_cluster,
    start_postgres,
)
from tests.support.ram_disk import ram_disk

Started = TypeVar("Started")

LONGEST = (
    "test_schemathesis", "test_schemathesis_others", "test_readme", "test_docs",
    "test_kill_service", "test_transcripts", "test_ledger_machine", "test_official_clients",
    "test_replay", "test_serve", "test_reports", "test_backfill",
    "test_tracking_providers", "test_kill_postgres", "test_backup", "test_faults_service",
)  # fmt: skip
"""The files that take the longest, as measured, the longest first: they come first, so that at the
end no worker is left alone with one."""

hypothesis.settings.register_profile(
    "ci", derandomize=False, print_blob=True, deadline=None, max_examples=100
)
hypothesis.settings.register_profile(
    "faults", hypothesis.settings.get_profile("ci"), max_examples=2000
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--faults`, which `make faults` gives."""
    parser.addoption(
        "--faults",
        action="store_true",
        help="run the tests marked `faults` too, and everything else with its long settings",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples Hypothesis tries, and where the folders of tests lie.

    `--hypothesis-profile`, `--basetemp` and PYTEST_DEBUG_TEMPROOT still have the last word.
    """
    if not config.getoption("--hypothesis-profile", default=None):
        hypothesis.settings.load_profile("faults" if config.getoption("--faults") else "ci")
    if place := ram_disk():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(place))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, and keep what is there out of its later runs.

    There are 700,000 objects by then, none of which goes. A third of the time of collecting, which
    each worker does, went into looking them through, and a tenth of that of small tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL; leave long runs out, counted as deselected, unless asked for."""
    for item in items:
        if _needs_postgres(item):
            item.add_marker("postgres")
    if not config.getoption("--faults"):
        left_out = [item for item in items if item.get_closest_marker("faults")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    rank = {stem: at for at, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONGEST)))


def _needs_postgres(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "databases" in callspec.params:
        return bool(callspec.params["databases"] == "postgres")
    return not {"postgres_server", "postgres_cluster"}.isdisjoint(item.fixturenames)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session")
def long_run(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make faults`."""
    return bool(request.config.getoption("--faults"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL per worker; where none can run, the test is skipped and says why."""
    with contextlib.ExitStack() as stack:
        yield _enter_or_skip(stack, start_postgres(quick=True))


@pytest.fixture
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of the test's own: it may `stop()`, `stop(crash=True)` and `start()` it."""
    with contextlib.ExitStack() as stack:
        yield _enter_or_skip(stack, start_cluster(parent=ram_disk()))


def _enter_or_skip(
    stack: contextlib.ExitStack, started: contextlib.AbstractContextManager[Started]
) -> Started:
    try:
        return stack.enter_context(started)
    except PostgresMissing as missing:
        pytest.skip(f"no PostgreSQL: {missing}")


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplates:
    """Prepared SQLite files, shared by the tests of a worker."""
    return SqliteTemplates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def sqlite_databases(tmp_path: Path, sqlite_templates: SqliteTemplates) -> SqliteDatabases:
    """Fresh SQLite files."""
    return SqliteDatabases(tmp_path, sqlite_templates)


@pytest.fixture
def postgres_databases(postgres_server: PostgresServer) -> Iterator[PostgresDatabases]:
    """Fresh PostgreSQL databases, dropped at the end of the test."""
    made = PostgresDatabases(postgres_server)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgres"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Fresh databases; the test runs once per engine."""
    made: Databases = request.getfixturevalue(f"{request.param}_databases")
    return made


@pytest.fixture
def database_url(databases: Databases) -> str:
    """An empty database; the test runs once per engine."""
    return databases.new()


@pytest.fixture
def sqlite_url(sqlite_databases: SqliteDatabases) -> str:
    """An empty SQLite database."""
    return sqlite_databases.new()


@pytest.fixture
def postgres_url(postgres_databases: PostgresDatabases) -> str:
    """An empty PostgreSQL database."""
    return postgres_databases.new()

"""The database behind a URL: found, brought up to date, opened for the writer and for readers.

    database = open_database("sqlite:///budget.db")
    database.migrate()

Libraries are imported when they are needed: opening a SQLite file that is up to date takes none but
the standard one. Not here: what the tables are (`schema`), how they change (`migrations`), the
writer's transactions (`unit`).
"""

import abc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from budget.domain.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from budget.storage.unit import Unit

Dialect = Literal["sqlite", "postgresql"]
Clock = Callable[[], int]

FORMS: Final = (
    "sqlite:///file.db",
    "sqlite:////folder/file.db",
    "postgresql://user:password@host/name",
)

MIGRATION_SECONDS: Final = 30
"""How long a process that starts waits for others that are starting, or writing."""

READERS: Final = 5
"""Connections kept open for cold reads."""


class Database(abc.ABC):
    """A database that is open; any thread may use it."""

    dialect: Dialect

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    @abc.abstractmethod
    def migrate(self) -> None:
        """Bring the tables up to date; returns at once where they are. Several may do so at once.

        Unavailable if the database cannot be had now, InvalidInput if it holds something else,
        Conflict if a newer Budget has written it.
        """

    @abc.abstractmethod
    def unit(self) -> "Unit":
        """A connection for one writer, used by one thread; it connects when it first begins."""

    @property
    def engine(self) -> "Engine":
        """For cold reads: its connections cannot write; each transaction sees one moment."""
        with self._opening:
            if self._engine is None:
                self._engine = self._reading_engine()
            return self._engine

    @abc.abstractmethod
    def _reading_engine(self) -> "Engine": ...

    def now_us(self) -> int:
        """The clock's time, or this machine's. Decisions are made at the time `begin` tells."""
        return time.time_ns() // 1000 if self._clock is None else self._clock()

    @abc.abstractmethod
    def describe(self) -> dict[str, str]:
        """The engine, the version of its library, and where it is; nothing secret."""

    def close(self) -> None:
        """Let go of the readers' connections."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None


def open_database(url: str, *, clock: Clock | None = None) -> Database:
    """The database at `url`; nothing is asked of a server yet.

    A SQLite file is created, empty and for its owner only, where there is none, and so is its
    folder. `clock` gives microseconds since 1970 and stands in for the database's time.
    InvalidInput for a URL of another form, or a place where no file can be.
    """
    if not isinstance(url, str):
        raise InvalidInput("target", "must be the URL of a database, as a string.", FORMS)
    if url.startswith("sqlite:///"):
        from budget.storage.sqlite_database import SqliteDatabase

        return SqliteDatabase(_sqlite_path(url.removeprefix("sqlite:///")), clock)
    if url.startswith(("postgresql://", "postgres://")):
        from budget.storage.postgres_database import PostgresDatabase

        return PostgresDatabase(url, clock)
    raise InvalidInput("target", "is not the URL of a database that Budget can use.", FORMS)


def _sqlite_path(name: str) -> Path:
    if name in ("", ":memory:") or name.startswith("file:"):
        raise InvalidInput("target", "must name a file: the books outlive the process.", FORMS)
    if "?" in name or "\0" in name:
        raise InvalidInput("target", "takes no options behind the name of the file.", FORMS)
    # Absolute from here on: the process may change its folder.
    return Path(name).expanduser().absolute()

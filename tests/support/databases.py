"""Fresh databases for tests: a SQLite file or a PostgreSQL database, empty or prepared."""

import shutil
import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Protocol

from tests.support.postgres import PostgresServer

# Fills an empty database, given its URL, and closes its connections; the migrations are one.
Prepare = Callable[[str], object]


class Databases(Protocol):
    """Makes fresh databases on one engine; `engine` is "sqlite" or "postgres"."""

    engine: str

    def new(self, prepare: Prepare | None = None) -> str:
        """The URL of a new database, empty or a copy of what `prepare` once filled."""

    def close(self) -> None:
        """Remove every database made here."""


class SqliteTemplates:
    """One prepared file per `prepare`, kept for the session in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Prepare, Path] = {}

    def file_from(self, prepare: Prepare) -> Path:
        """The file that `prepare` has filled, whole: nothing of it is left in a write-ahead log."""
        if prepare not in self._files:
            file = self._folder / f"template-{len(self._files)}.db"
            prepare(sqlite_url(file))
            connection = sqlite3.connect(file)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            self._files[prepare] = file
        return self._files[prepare]


class SqliteDatabases:
    """Files in one folder, which pytest removes."""

    engine = "sqlite"

    def __init__(self, folder: Path, templates: SqliteTemplates) -> None:
        self._folder = folder
        self._templates = templates
        self._numbers = count(1)

    def new(self, prepare: Prepare | None = None) -> str:
        """The URL of a file that is not there yet, or of a copy of the prepared one."""
        file = self._folder / f"budget-{next(self._numbers)}.db"
        if prepare is not None:
            shutil.copy(self._templates.file_from(prepare), file)
        return sqlite_url(file)

    def close(self) -> None:
        """Nothing: the folder is the test's own."""


class PostgresDatabases:
    """Databases of one server, dropped at the end of the test."""

    engine = "postgres"

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._urls: list[str] = []

    def new(self, prepare: Prepare | None = None) -> str:
        """The URL of a new database, made from the template of `prepare` if one is given."""
        if prepare is None:
            url = self.server.create_database()
        else:
            url = self.server.create_database(self.server.template_from(prepare))
        self._urls.append(url)
        return url

    def close(self) -> None:
        """Drop them all, whoever is still connected."""
        while self._urls:
            self.server.drop_database(self._urls.pop())


def sqlite_url(file: Path) -> str:
    """`sqlite:////absolute/path.db`."""
    return f"sqlite:///{file.absolute()}"

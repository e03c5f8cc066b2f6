"""A SQLite file as a database: brought up to date, opened for the writer and for readers."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from budget.domain.errors import Conflict, InvalidInput, Unavailable
from budget.storage import migrations
from budget.storage.database import MIGRATION_SECONDS, READERS, Clock, Database
from budget.storage.errors import Unreachable
from budget.storage.sqlite_file import (
    Lock,
    connect_reader,
    connect_writer,
    create_file,
    identity,
    tidy,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from budget.storage.sqlite_unit import SqliteUnit

OLDEST_LIBRARY: Final = (3, 37)
"""The first with STRICT tables."""


class SqliteDatabase(Database):
    """A file, and what SQLite puts beside it."""

    dialect = "sqlite"

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.path = path
        if sqlite3.sqlite_version_info < OLDEST_LIBRARY:
            raise Conflict(
                f"Budget needs SQLite 3.37 or newer; this Python has {sqlite3.sqlite_version}.",
                code="library_too_old",
            )
        try:
            create_file(path)
        except OSError as error:
            raise InvalidInput("target", f"cannot create {path}: {error.strerror}.") from error
        if not path.is_file():
            raise InvalidInput("target", f"{path} is not a file.")

    def migrate(self) -> None:
        """Bring the tables up to date; other processes wait for the file's lock."""
        lock = Lock(self.path)
        try:
            if self._is_current():
                return
            lock.acquire(MIGRATION_SECONDS)
            if not self._tables():
                self._create()
            elif not self._is_current():
                self._upgrade()
        except Unreachable as error:
            raise Unavailable(f"The database cannot be brought up to date: {error}.") from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                raise InvalidInput("target", f"{self.path} is not a SQLite database.") from error
            raise Unavailable(f"{self.path} cannot be used: {error}.") from error
        finally:
            lock.close()

    def _is_current(self) -> bool:
        tables = self._tables()
        if migrations.VERSION_TABLE not in tables:
            if tables:
                raise InvalidInput("target", f"{self.path} holds something else than a ledger.")
            return False
        with closing(connect_reader(self.path)) as connection:
            return migrations.is_latest(connection.execute(migrations.REVISION).fetchall())

    def _tables(self) -> set[str]:
        with closing(connect_reader(self.path)) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}

    def _create(self) -> None:
        """All tables at once; without Alembic, which takes half a second, and 8 MB for good."""
        with closing(connect_writer(self.path)) as connection:
            connection.executescript(f"BEGIN IMMEDIATE;\n{migrations.new_sqlite_file()}COMMIT;")

    def _upgrade(self) -> None:
        """One transaction; the driver is told to leave its beginning to us."""
        from sqlalchemy import NullPool, create_engine
        from sqlalchemy.exc import DBAPIError

        engine = create_engine(
            "sqlite://", creator=lambda: connect_writer(self.path), poolclass=NullPool
        )
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                migrations.upgrade(connection)
                connection.commit()
        except DBAPIError as error:
            raise (error.orig or error) from error

    def unit(self) -> "SqliteUnit":
        """A connection for one writer."""
        from budget.storage.sqlite_unit import SqliteUnit

        return SqliteUnit(self.path, self._clock)

    def _reading_engine(self) -> "Engine":
        from sqlalchemy import QueuePool, create_engine, event
        from sqlalchemy.exc import DisconnectionError

        engine = create_engine(
            "sqlite://",
            creator=lambda: connect_reader(self.path),
            poolclass=QueuePool,
            pool_size=READERS,
        )

        log = self.path.with_name(f"{self.path.name}-wal")

        @event.listens_for(engine, "connect")
        def remember_the_files(_: Any, record: Any) -> None:
            record.info["files"] = identity(self.path), identity(log)

        @event.listens_for(engine, "checkout")
        def reopen_if_they_were_replaced(_: Any, record: Any, __: Any) -> None:
            if record.info["files"] != (identity(self.path), identity(log)):
                raise DisconnectionError

        @event.listens_for(engine, "begin")
        def see_one_moment(connection: "Connection") -> None:
            connection.exec_driver_sql("BEGIN")

        return engine

    def describe(self) -> dict[str, str]:
        """The engine, the version of its library, and the file."""
        return {"engine": "sqlite", "version": sqlite3.sqlite_version, "path": str(self.path)}

    def close(self) -> None:
        """Let go of the readers' connections; the last one to go leaves a single file."""
        super().close()
        tidy(self.path)

"""A PostgreSQL database: brought up to date, opened for the writer and for readers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from budget.domain.cursors import unpack
from budget.domain.errors import Conflict, InvalidInput, Unavailable
from budget.storage import migrations
from budget.storage.database import MIGRATION_SECONDS, READERS, Clock, Database
from budget.storage.postgres_sql import CATALOGUE_LOCK

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from budget.storage.postgres_unit import PostgresUnit

OLDEST_SERVER: Final = 130_000
"""The first with `pg_current_xact_id()`."""

MIGRATION_LOCK: Final = 0x6D696772617465
"""The advisory lock of a process that starts ("migrate" in ASCII)."""

CONNECT_SECONDS: Final = 10


class PostgresDatabase(Database):
    """A database on a server."""

    dialect = "postgresql"

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        super().__init__(clock)
        try:
            self._where = conninfo_to_dict(url)
        except psycopg.Error as error:
            # What libpq says may quote a part of the password.
            raise InvalidInput("target", "is not a URL that PostgreSQL understands.") from error
        self._url = url

    def migrate(self) -> None:
        """Bring the tables up to date, and begin a new epoch where a restored dump asks for it."""
        from sqlalchemy.exc import DBAPIError

        try:
            with self._alone() as connection:
                if not self._is_current(connection):
                    migrations.upgrade(connection)
                _begin_epoch_if_restored(connection)
        except DBAPIError as error:
            self._raise(error.orig or error)
        except psycopg.Error as error:
            self._raise(error)

    def _raise(self, error: BaseException) -> None:
        if isinstance(error, psycopg.errors.DuplicateTable):
            raise InvalidInput(
                "target", "has tables of something else; give Budget a database of its own."
            ) from error
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise InvalidInput("target", f"does not let Budget in: {error}".strip()) from error
        raise Unavailable(f"PostgreSQL cannot be used now: {error}".strip()) from error

    @contextmanager
    def _alone(self) -> "Iterator[Connection]":
        """A transaction that no other starting process is in; it commits at the end."""
        from sqlalchemy import NullPool, create_engine

        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=NullPool,
            isolation_level="READ COMMITTED",  # what the process before has done must be seen
        )
        with engine.begin() as connection:
            version = connection.connection.driver_connection.info.server_version  # type: ignore[union-attr]
            if version < OLDEST_SERVER:
                raise Conflict("Budget needs PostgreSQL 13 or newer.", code="library_too_old")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION_SECONDS}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            yield connection

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            self._url, connect_timeout=CONNECT_SECONDS, application_name="budget"
        )

    @staticmethod
    def _is_current(connection: "Connection") -> bool:
        table = connection.exec_driver_sql(
            f"SELECT to_regclass('{migrations.VERSION_TABLE}')::text"
        ).scalar_one()
        if table is None:
            return False
        return migrations.is_latest(connection.exec_driver_sql(migrations.REVISION).all())

    def unit(self) -> "PostgresUnit":
        """A connection for one writer."""
        from budget.storage.postgres_unit import PostgresUnit

        return PostgresUnit(self._url, self._clock)

    def _reading_engine(self) -> "Engine":
        from sqlalchemy import create_engine

        return create_engine(
            "postgresql+psycopg://",
            creator=self._connect_reader,
            pool_size=READERS,
            pool_pre_ping=True,
        )

    def _connect_reader(self) -> psycopg.Connection:
        connection = self._connect()
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection

    def describe(self) -> dict[str, str]:
        """The engine, the versions of its libraries, host and database."""
        libpq = psycopg.pq.version()
        return {
            "engine": "postgresql",
            "version": f"psycopg {psycopg.__version__}, libpq {libpq // 10_000}.{libpq % 10_000}",
            "host": str(self._where.get("host") or self._where.get("hostaddr") or ""),
            "database": str(self._where.get("dbname") or ""),
        }


def _begin_epoch_if_restored(connection: "Connection") -> None:
    """Count the epoch up if a stored transaction number is one that the server has yet to give.

    That is so in a dump that was restored elsewhere. Entries written from then on follow all stored
    ones, whatever their numbers. Batches wait meanwhile: each has one epoch.
    """
    if not _restored(connection):
        return
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CATALOGUE_LOCK})")
    newest = _restored(connection)
    if newest is not None:
        connection.exec_driver_sql("UPDATE state SET epoch = %s WHERE id = 1", (newest + 1,))


def _restored(connection: "Connection") -> int | None:
    """The latest epoch, if its latest entry is not below what this server's snapshots end at."""
    epoch, next_xid, last = connection.exec_driver_sql(
        """
        SELECT epoch, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
               (SELECT max(id) FROM entries)
        FROM state WHERE id = 1
        """
    ).one()
    if last is None:
        return None
    cursor = unpack(last)
    if (cursor.epoch, cursor.xid) < (epoch, next_xid):
        return None
    return max(int(epoch), cursor.epoch)

"""Carrying: the rows of all tables out of a PostgreSQL database into a SQLite file, and back.

    take_out("postgresql://…", Path("copy.db"))
    put_in(Path("copy.db"), "postgresql://…", standing_of("postgresql://…"), epoch=3)

The schema is one, so a copy of either kind of books is a SQLite file, and may be put in force as
either kind. Not here: whether a copy is whole and adds up, and which may take whose place
(`copying`).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from budget.domain.errors import Conflict, NotFound, Unavailable
from budget.storage import migrations
from budget.storage.sqlite_file import connect_reader

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection, Table

Progress = Callable[[int, int], None]

_PAGE: Final = 10_000
_LOCK_SECONDS: Final = 10


class Standing(NamedTuple):
    """How the books of a database stand: whether there are any, and what a copy would replace."""

    empty: bool
    epoch: int = 0
    catalogue_version: int = 0
    last_entry: int = 0


NONE: Final = Standing(empty=True)


def take_out(url: str, part: Path, progress: Progress | None = None) -> None:
    """Write what a database holds at this moment into a new SQLite file, which is left at rest.

    Its writers go on meanwhile. NotFound where there are no books, Conflict for those of an older
    or a newer Budget.
    """
    from sqlalchemy.dialects import sqlite

    from budget.storage.database import open_database
    from budget.storage.schema import metadata

    dialect = sqlite.dialect(paramstyle="qmark")
    with closing(open_database(f"sqlite:///{part}")) as made:
        made.migrate()
    tables = metadata.sorted_tables
    with _reading(url) as source, closing(sqlite3.connect(part)) as sink:
        sink.isolation_level = None
        sink.execute("PRAGMA synchronous = OFF")  # it is synced when it is whole
        sink.execute("BEGIN")
        total = sum(_count(source, table) for table in tables)
        done = 0
        for table in tables:
            if _count_in(sink, table):
                sink.execute(str(table.delete()))
            insert = str(table.insert().compile(dialect=dialect))
            for page in _pages_of(source, table):
                sink.executemany(insert, page)
                done += len(page)
                if progress is not None:
                    progress(done, max(done, total))
        sink.execute("COMMIT")
        sink.execute("PRAGMA journal_mode = DELETE").fetchall()


@contextmanager
def _reading(url: str) -> "Iterator[Connection]":
    """A connection that sees one moment of books of this version."""
    from sqlalchemy.exc import DBAPIError

    from budget.storage.database import open_database

    with closing(open_database(url)) as database:
        try:
            with database.engine.connect() as connection:
                found = connection.exec_driver_sql(
                    f"SELECT to_regclass('{migrations.VERSION_TABLE}')::text"
                ).scalar_one()
                if found is None:
                    raise NotFound("ledger", "target", "There are no books in this database yet.")
                if not migrations.is_latest(connection.exec_driver_sql(migrations.REVISION).all()):
                    raise Conflict(
                        "The database is of an older Budget; `budget status` brings it up to date.",
                        code="database_older",
                    )
                yield connection
        except DBAPIError as error:
            raise Unavailable(f"PostgreSQL cannot be used now: {error.orig or error}") from error


def _count(source: "Connection", table: "Table") -> int:
    return int(source.execute(_counting(table)).scalar_one())


def _count_in(file: sqlite3.Connection, table: "Table") -> int:
    return int(file.execute(str(_counting(table))).fetchone()[0])


def _counting(table: "Table") -> Any:
    from sqlalchemy import func, select

    return select(func.count()).select_from(table)


def _pages_of(source: "Connection", table: "Table") -> Iterator[list[Sequence[Any]]]:
    from sqlalchemy import select

    streaming = source.execution_options(stream_results=True, yield_per=_PAGE)
    for some in streaming.execute(select(table)).partitions(_PAGE):
        yield [tuple(row) for row in some]


def standing_of(url: str) -> Standing:
    """How the books of a PostgreSQL database stand, after its tables were brought up to date."""
    from budget.storage import schema
    from budget.storage.database import open_database

    with closing(open_database(url)) as database:
        database.migrate()
    with _reading(url) as source:
        epoch, version, last = source.exec_driver_sql(
            "SELECT epoch, catalogue_version, (SELECT coalesce(max(id), 0) FROM entries) FROM state"
        ).one()
        budgets = _count(source, schema.budgets)
    return Standing(not last and not budgets, int(epoch), int(version), int(last))


def entries_beyond(url: str, last_entry: int) -> int:
    """How many entries a database has after one."""
    with _reading(url) as source:
        found = source.exec_driver_sql(
            "SELECT count(*) FROM entries WHERE id > %s", (last_entry,)
        ).scalar_one()
    return int(found)


def put_in(
    part: Path, url: str, there: Standing, *, epoch: int, progress: Progress | None = None
) -> None:
    """Put the rows of a SQLite file of this version in the place of all that a database holds.

    One transaction: until it commits, what was there is in force. Conflict where other programs
    have the database open, or have written since it stood as `there`.
    """
    import psycopg

    from budget.storage.schema import metadata

    tables = metadata.sorted_tables
    names = ", ".join(f'"{table.name}"' for table in tables)
    try:
        with (
            psycopg.connect(url, application_name="budget restore") as sink,
            closing(connect_reader(part)) as source,
        ):
            _check_alone(sink)
            sink.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            sink.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            _check_unchanged(sink, there)
            for table in tables:
                sink.execute(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER')
            sink.execute(f"TRUNCATE {names}")
            _copy_rows(source, sink, tables, progress)
            for table in tables:
                sink.execute(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER')
            sink.execute(
                "SELECT setval(pg_get_serial_sequence('heads', 'id'), greatest(max(id), 1)) "
                "FROM heads"
            )
            sink.execute("UPDATE state SET epoch = %s WHERE id = 1", (epoch,))
    except psycopg.errors.LockNotAvailable as error:
        raise Conflict("The database is in use; stop what uses it.", code="in_use") from error
    except psycopg.Error as error:
        raise Unavailable(f"The copy cannot be put in force: {error}".strip()) from error


def _check_alone(sink: "psycopg.Connection[Any]") -> None:
    others = sink.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'budget' AND pid <> pg_backend_pid()"
    ).fetchone()
    if others is not None and others[0]:
        raise Conflict(
            f"{others[0]} {'connection' if others[0] == 1 else 'connections'} of Budget "
            f"{'has' if others[0] == 1 else 'have'} the database open; stop the service first.",
            code="in_use",
        )


def _check_unchanged(sink: "psycopg.Connection[Any]", there: Standing) -> None:
    last = sink.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()
    if last is None or last[0] != there.last_entry:
        raise Conflict("The books were written to meanwhile; try again.", code="in_use")


def _copy_rows(
    source: sqlite3.Connection,
    sink: "psycopg.Connection[Any]",
    tables: Sequence["Table"],
    progress: Progress | None,
) -> None:
    from sqlalchemy import select

    done, total = 0, sum(_count_in(source, table) for table in tables)
    for table in tables:
        rows = source.execute(str(select(table)))
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        copying = f'COPY "{table.name}" ({columns}) FROM STDIN'
        with sink.cursor() as cursor, cursor.copy(copying) as copy:
            while page := rows.fetchmany(_PAGE):
                for row in page:
                    copy.write_row(row)
                done += len(page)
                if progress is not None:
                    progress(done, total)

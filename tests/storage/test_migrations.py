"""Migrations: what they make is the schema, in any number of processes at once, and only once."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, select, text, update

from budget.domain.cursors import pack
from budget.domain.errors import Conflict, InvalidInput, Unavailable
from budget.storage import migrations, schema
from budget.storage.database import open_database
from budget.storage.sqlite_file import Lock
from budget.storage.unit import Changes
from tests.support import new_file
from tests.support.databases import Databases, SqliteDatabases
from tests.support.postgres import Cluster
from tests.support.rows import entry
from tests.support.units import count, migrate


def create_all(url: str) -> None:
    """The tables as the schema says, without migrations."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    schema.metadata.create_all(engine)
    engine.dispose()


def tables_of(url: str) -> dict[str, list[str]]:
    """The SQL of each table of a SQLite file and of its indexes; white space and order aside.

    A column that a later migration adds stands behind the last of before, on its line.
    """
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        rows = connection.execute(
            "SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'"
        ).fetchall()
    found: dict[str, list[str]] = {}
    for table, sql in rows:
        parts = re.split(r",?\s*\n\s*|, (?=\w+ (?:INTEGER|TEXT))", sql.strip())
        found.setdefault(table, []).extend(parts)
    found.pop(migrations.VERSION_TABLE, None)
    return {table: sorted(parts) for table, parts in found.items()}


CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""


def shape_of(url: str) -> list[Any]:
    """Columns, constraints and indexes of a PostgreSQL database."""
    with psycopg.connect(url) as connection:
        rows = [
            row
            for query in (COLUMNS, CONSTRAINTS, INDEXES)
            for row in connection.execute(query).fetchall()
        ]
    return [row for row in rows if migrations.VERSION_TABLE not in str(row)]


# --- The schema ----------------------------------------------------------------------------------


def test_the_migrated_database_is_what_the_schema_says(databases: Databases) -> None:
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "version_table": migrations.VERSION_TABLE,
    }
    with (
        closing(open_database(databases.new(migrate))) as database,
        database.engine.connect() as connection,
    ):
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []


def test_a_migrated_sqlite_file_is_word_for_word_what_the_schema_makes(
    sqlite_databases: SqliteDatabases,
) -> None:
    migrated, created = sqlite_databases.new(migrate), sqlite_databases.new()
    create_all(created)
    assert tables_of(migrated) == tables_of(created)
    with closing(sqlite3.connect(migrated.removeprefix("sqlite:///"))) as connection:
        listed = connection.execute("PRAGMA table_list").fetchall()
    strict = {name for _, name, kind, _, _, is_strict in listed if kind == "table" and is_strict}
    assert strict == set(schema.metadata.tables)


def test_a_migrated_postgres_database_has_the_constraints_and_collations_of_the_schema(
    postgres_databases: Databases,
) -> None:
    migrated, created = postgres_databases.new(migrate), postgres_databases.new()
    create_all(created)
    assert shape_of(migrated) == shape_of(created)


def test_a_new_ledger_has_its_one_row_of_state(databases: Databases) -> None:
    with (
        closing(open_database(databases.new(migrate))) as database,
        database.engine.connect() as connection,
    ):
        assert connection.execute(select(schema.state)).all() == [(1, 1, 0, 1, -1)]


def test_a_new_sqlite_file_is_made_as_the_revisions_make_it() -> None:
    made = migrations.new_sqlite_file()
    assert made == new_file.statements(), "write it anew: python -m tests.support.new_file"


def test_the_revisions_named_are_those_that_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", "budget.storage:migrations")
    scripts = ScriptDirectory.from_config(config)
    oldest_first = [script.revision for script in scripts.walk_revisions()][::-1]
    assert oldest_first == list(migrations.REVISIONS)


# --- Once only, and quickly ----------------------------------------------------------------------


def test_migrating_again_changes_nothing(databases: Databases) -> None:
    url = databases.new(migrate)
    with closing(open_database(url)) as database:
        with closing(database.unit()) as unit:
            begun = unit.begin()
            unit.write(Changes(entries=[entry(begun)]))
            unit.commit()
        database.migrate()
        database.migrate()
        assert count(database, "entries") == 1
        assert count(database, "state") == 1


@pytest.mark.parametrize("prepare", [migrate, None], ids=["up to date", "new"])
def test_a_sqlite_file_that_is_new_or_up_to_date_is_opened_with_the_standard_library_alone(
    sqlite_databases: SqliteDatabases, prepare: Callable[[str], None] | None
) -> None:
    script = """
import sys
from budget.storage.database import open_database
database = open_database(sys.argv[1])
database.migrate()
unit = database.unit()
unit.begin()
unit.commit()
unit.close()
database.close()
heavy = {"alembic", "sqlalchemy", "psycopg"} & sys.modules.keys()
assert not heavy, heavy
"""
    url = sqlite_databases.new(prepare)
    subprocess.run([sys.executable, "-c", script, url], check=True)


def test_a_sqlite_file_that_is_up_to_date_is_not_locked(sqlite_databases: SqliteDatabases) -> None:
    url = sqlite_databases.new(migrate)
    lock = Lock(Path(url.removeprefix("sqlite:///")))
    lock.acquire()
    with closing(open_database(url)) as database:
        database.migrate()
    lock.close()


def test_several_may_start_at_once(databases: Databases) -> None:
    url = databases.new()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(migrate, [url] * 6))
    with closing(open_database(url)) as database:
        assert count(database, "state") == 1


def test_several_processes_may_start_at_once(sqlite_url: str) -> None:
    script = """
import sys
from budget.storage.database import open_database
database = open_database(sys.argv[1])
database.migrate()
database.close()
"""
    command = [sys.executable, "-c", script, sqlite_url]
    started = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    with closing(open_database(sqlite_url)) as database:
        assert count(database, "state") == 1


def test_a_migration_that_fails_leaves_nothing(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = databases.new()
    upgrade: Callable[[Connection], None] = migrations.upgrade
    statements = migrations.new_sqlite_file()

    def fail_at_the_end(connection: Connection) -> None:
        upgrade(connection)
        connection.execute(text("SELECT nothing FROM nowhere"))

    monkeypatch.setattr(migrations, "upgrade", fail_at_the_end)
    monkeypatch.setattr(
        migrations, "new_sqlite_file", lambda: f"{statements}SELECT nothing FROM nowhere;"
    )
    with pytest.raises(Unavailable):
        migrate(url)
    monkeypatch.undo()
    with closing(open_database(url)) as database:
        with database.engine.connect() as connection:
            assert inspect(connection).get_table_names() == []
        database.migrate()
        assert count(database, "state") == 1


# --- What is not ours ----------------------------------------------------------------------------


def test_a_database_of_a_newer_budget_is_left_alone(databases: Databases) -> None:
    url = databases.new(migrate)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE budget_revision SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(Conflict, match="newer Budget") as raised:
        migrate(url)
    assert raised.value.code == "database_newer"


def test_a_database_with_tables_of_something_else_is_left_alone(databases: Databases) -> None:
    url = databases.new()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE usage (a integer)")
    engine.dispose()
    with closing(open_database(url)) as database:
        with pytest.raises(InvalidInput, match="something else"):
            database.migrate()
        with database.engine.connect() as connection:
            assert inspect(connection).get_table_names() == ["usage"]


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear reader, " * 1000)
    with pytest.raises(InvalidInput, match="not a SQLite database"):
        migrate(f"sqlite:///{file}")
    assert file.read_text() == "Dear reader, " * 1000


def test_a_server_that_does_not_answer_is_unavailable(postgres_cluster: Cluster) -> None:
    postgres_cluster.stop()
    with closing(open_database(postgres_cluster.url)) as database:
        with pytest.raises(Unavailable, match="PostgreSQL"):
            database.migrate()
        postgres_cluster.start()
        database.migrate()
        assert count(database, "state") == 1


# --- A restored dump -----------------------------------------------------------------------------


def epoch_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT epoch FROM state").fetchone()
    assert row is not None
    return int(row[0])


def store_entry(url: str, epoch: int, *, ahead: int) -> int:
    """Store an entry of a transaction so far ahead of the server's next one; its id."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
        assert row is not None
        id_ = pack(epoch, int(row[0]) + ahead, 0)
        connection.execute(
            """
            INSERT INTO entries (id, at_us, kind, actor, legs, detail)
            VALUES (%s, 1, 'kind', 'actor', '[]', '{}')
            """,
            (id_,),
        )
    return id_


def test_a_restored_dump_begins_a_new_epoch_once(postgres_databases: Databases) -> None:
    url = postgres_databases.new(migrate)
    restored = store_entry(url, 1, ahead=1_000_000)
    migrate(url)
    assert epoch_of(url) == 2
    migrate(url)
    assert epoch_of(url) == 2
    with closing(open_database(url)) as database, closing(database.unit()) as unit:
        begun = unit.begin()
        unit.write(Changes(entries=[entry(begun)]))
        unit.commit()
        assert pack(*begun[:2], 0) > restored
    migrate(url)
    assert epoch_of(url) == 2


def test_a_ledger_that_stayed_where_it_is_keeps_its_epoch(postgres_databases: Databases) -> None:
    url = postgres_databases.new(migrate)
    store_entry(url, 1, ahead=0)  # its own transaction, as the ledger does
    migrate(url)
    assert epoch_of(url) == 1


def test_the_next_transaction_number_of_the_server_is_already_too_high(
    postgres_databases: Databases,
) -> None:
    url = postgres_databases.new(migrate)
    store_entry(url, 1, ahead=1)  # storing it used up one
    migrate(url)
    assert epoch_of(url) == 2


def test_a_new_epoch_waits_for_the_batches_that_run(postgres_databases: Databases) -> None:
    url = postgres_databases.new(migrate)
    store_entry(url, 1, ahead=1_000_000)
    with closing(open_database(url)) as database, closing(database.unit()) as unit:
        assert unit.begin().epoch == 1
        with ThreadPoolExecutor() as pool:
            starting = pool.submit(migrate, url)
            with pytest.raises(TimeoutError):
                starting.result(timeout=0.3)
            assert epoch_of(url) == 1
            unit.commit()
            starting.result()
        assert unit.begin().epoch == 2


def test_a_sqlite_file_keeps_its_epoch(sqlite_databases: SqliteDatabases) -> None:
    with (
        closing(open_database(sqlite_databases.new(migrate))) as database,
        closing(database.unit()) as unit,
    ):
        unit.begin()
        unit.execute(update(schema.state).values(xid=77))
        unit.commit()
        database.migrate()
        assert unit.begin()[:2] == (1, 78)

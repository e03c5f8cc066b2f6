"""What is peculiar to the unit of work on SQLite: the lock, errors, recovery, what costs nothing.

Not here: the log and its folding, and several processes (`test_sqlite_file`).
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from budget.storage import schema, sqlite_sql, sqlite_unit
from budget.storage.database import open_database
from budget.storage.errors import Broken, CommitUnknown, Unreachable
from budget.storage.sqlite_database import SqliteDatabase
from budget.storage.sqlite_file import connect_writer
from budget.storage.sqlite_unit import SqliteUnit
from budget.storage.unit import Changes
from tests.support.databases import SqliteDatabases
from tests.support.rows import allocation, entry, key, usage
from tests.support.units import count, in_batch, make_heads, migrate, write

QUICK_SECONDS = 0.1

NewSqliteUnit = Callable[[], SqliteUnit]


@pytest.fixture
def url(sqlite_databases: SqliteDatabases) -> str:
    return sqlite_databases.new(migrate)


@pytest.fixture
def database(url: str) -> Iterator[SqliteDatabase]:
    with closing(open_database(url)) as opened:
        assert isinstance(opened, SqliteDatabase)
        yield opened


@pytest.fixture
def path(database: SqliteDatabase) -> Path:
    return database.path


@pytest.fixture
def new_unit(path: Path) -> Iterator[NewSqliteUnit]:
    """Makes units that wait a moment only, and closes them."""
    made: list[SqliteUnit] = []

    def new() -> SqliteUnit:
        made.append(SqliteUnit(path, wait_seconds=QUICK_SECONDS))
        return made[-1]

    yield new
    for unit in made:
        unit.close()


@pytest.fixture
def unit(new_unit: NewSqliteUnit) -> SqliteUnit:
    return new_unit()


def files(path: Path) -> set[str]:
    """What lies in the folder beside the database."""
    return {file.name.removeprefix(path.name) for file in path.parent.glob(f"{path.name}*")}


def keys_of(unit: SqliteUnit) -> list[str]:
    """The idempotency keys that are stored."""
    rows = in_batch(unit, lambda: unit.execute(select(schema.keys.c.key).order_by("key")))
    return [name for (name,) in rows]


# --- Who may write -------------------------------------------------------------------------------


def test_a_process_that_keeps_the_lock_makes_others_wait_and_then_give_up(
    new_unit: NewSqliteUnit,
) -> None:
    holder, other = new_unit(), new_unit()
    holder.begin()
    started = time.monotonic()
    with pytest.raises(Unreachable, match="another process holds"):
        other.begin()
    assert QUICK_SECONDS <= time.monotonic() - started < QUICK_SECONDS + 1
    holder.commit()
    other.begin()


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_the_lock_is_let_go_however_a_transaction_ends(new_unit: NewSqliteUnit, end: str) -> None:
    holder, other = new_unit(), new_unit()
    holder.begin()
    getattr(holder, end)()
    other.begin()


def test_the_lock_is_let_go_when_a_transaction_cannot_begin(
    path: Path, new_unit: NewSqliteUnit
) -> None:
    unlucky, other = new_unit(), new_unit()
    unlucky.begin()
    unlucky.rollback()
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(Unreachable, match="is gone"):
        unlucky.begin()
    path.with_name("elsewhere").rename(path)
    other.begin()


def test_a_program_that_does_not_know_the_lock_is_waited_for_too(
    path: Path, unit: SqliteUnit
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked"):
            unit.begin()
        stranger.execute("COMMIT")
        unit.begin()


def test_a_lock_file_that_was_taken_away_locks_again(path: Path, new_unit: NewSqliteUnit) -> None:
    holder, other = new_unit(), new_unit()
    holder.begin()
    holder.commit()
    path.with_name(f"{path.name}.lock").unlink()
    holder.begin()
    with pytest.raises(Unreachable, match="another process holds"):
        other.begin()


def test_a_killed_process_leaves_neither_its_lock_nor_half_a_transaction(
    path: Path, unit: SqliteUnit
) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from budget.storage.sqlite_file import connect_writer
from budget.storage.sqlite_unit import SqliteUnit
from budget.storage.unit import Changes
unit = SqliteUnit(Path(sys.argv[1]))
for name in ("committed", "lost"):
    unit.begin()
    unit.write(Changes(keys=[("a", "place", name, "h", "r", 1)]))
    if name == "committed":
        unit.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert keys_of(unit) == ["committed"]


# --- Errors, and how they pass -------------------------------------------------------------------


def test_a_file_that_is_gone_is_unreachable_until_it_is_back(path: Path, unit: SqliteUnit) -> None:
    write(unit, keys=[key("before")])
    path.rename(path.with_name("elsewhere"))
    for _ in range(2):
        with pytest.raises(Unreachable, match="is gone"):
            unit.begin()
    assert not path.exists()  # an empty ledger in its place would be worse
    path.with_name("elsewhere").rename(path)
    write(unit, keys=[key("after")])
    assert keys_of(unit) == ["after", "before"]


def test_a_backup_put_in_place_is_used_from_then_on_and_not_mixed_with_the_old_log(
    path: Path, unit: SqliteUnit, database: SqliteDatabase
) -> None:
    write(unit, keys=[key(f"early-{n}") for n in range(100)])
    assert count(database, "keys") == 100
    backup = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    for n in range(50):
        write(unit, keys=[key(f"late-{n}")], placed=[allocation(f"a{n}")])
    backup.replace(path)
    write(unit, keys=[key("new")])
    assert keys_of(unit) == sorted([*(f"early-{n}" for n in range(100)), "new"])
    assert in_batch(unit, lambda: unit.execute(text("PRAGMA integrity_check"))) == [("ok",)]
    assert count(database, "keys") == 101


def test_a_log_that_came_with_the_backup_is_kept(path: Path, unit: SqliteUnit) -> None:
    write(unit, keys=[key("old")])
    for name in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{name}").unlink()
    other = path.with_name("other.db")
    migrate(f"sqlite:///{other}")
    # The copy is taken while the log is full: it holds what the file lacks.
    with closing(SqliteUnit(other)) as writer:
        write(writer, keys=[key("in the log")])
        for name in ("-wal", ""):
            copied = path.with_name(f"copy{name}")
            shutil.copy(other.with_name(f"{other.name}{name}"), copied)
            copied.replace(path.with_name(f"{path.name}{name}"))
    assert keys_of(unit) == ["in the log"]


def test_a_file_that_is_no_ledger_is_unreachable(path: Path, unit: SqliteUnit) -> None:
    unit.begin()
    unit.rollback()
    empty = path.with_name("empty.db")
    empty.touch()
    empty.replace(path)
    with pytest.raises(Unreachable, match="no such table"):
        unit.begin()
    rubbish = path.with_name("rubbish.db")
    rubbish.write_bytes(b"not a database at all " * 1000)
    rubbish.replace(path)
    with pytest.raises(Unreachable, match="not a database"):
        unit.begin()


def test_a_full_database_refuses_and_recovers(unit: SqliteUnit, database: SqliteDatabase) -> None:
    write(unit, keys=[key("before")])
    (pages,) = in_batch(unit, lambda: unit.execute(text("PRAGMA page_count")))[0]
    in_batch(unit, lambda: unit.execute(text(f"PRAGMA max_page_count = {pages}")))
    big = [usage(f"u{n}", metadata="x" * 3000) for n in range(20)]
    for _ in range(3):
        unit.begin()
        with pytest.raises(Unreachable, match="full"):
            unit.write(Changes(usage=big))
        unit.rollback()
    assert count(database, "keys") == 1
    in_batch(unit, lambda: unit.execute(text("PRAGMA max_page_count = 1000000")))
    write(unit, usage=big)
    assert count(database, "usage") == 20


class Faulty:
    """A connection whose COMMIT goes wrong: before it is carried out, or after."""

    def __init__(self, connection: sqlite3.Connection, code: int, *, carried_out: bool) -> None:
        self._connection = connection
        self._code = code
        self._carried_out = carried_out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        if statement == sqlite_sql.COMMIT:
            if self._carried_out:
                self._connection.execute(statement)
            error = sqlite3.OperationalError("it went wrong")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(statement, parameters)


def make_faulty(monkeypatch: pytest.MonkeyPatch, code: int, *, carried_out: bool) -> None:
    """From now on units get faulty connections."""
    monkeypatch.setattr(
        sqlite_unit,
        "connect_writer",
        lambda *given: Faulty(connect_writer(*given), code, carried_out=carried_out),
    )


@pytest.mark.parametrize(
    ("code", "carried_out", "expected"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, True, CommitUnknown),
        (sqlite3.SQLITE_IOERR_WRITE, True, CommitUnknown),
        (sqlite3.SQLITE_BUSY, False, Unreachable),
        (sqlite3.SQLITE_FULL, False, Unreachable),
    ],
)
def test_an_error_at_commit_is_unknown_unless_the_transaction_is_still_open(
    monkeypatch: pytest.MonkeyPatch,
    unit: SqliteUnit,
    code: int,
    carried_out: bool,
    expected: type[Exception],
) -> None:
    make_faulty(monkeypatch, code, carried_out=carried_out)
    begun = unit.begin()
    unit.write(Changes(entries=[entry(begun)], keys=[key("a")]))
    with pytest.raises(expected):
        unit.commit()
    monkeypatch.undo()
    unit.close()
    assert keys_of(unit) == (["a"] if carried_out else [])


def test_a_connection_that_went_bad_is_replaced(
    monkeypatch: pytest.MonkeyPatch, unit: SqliteUnit
) -> None:
    make_faulty(monkeypatch, sqlite3.SQLITE_IOERR, carried_out=False)
    unit.begin()
    unit.write(Changes(keys=[key("a")]))
    with pytest.raises(Unreachable):
        unit.commit()
    monkeypatch.undo()
    write(unit, keys=[key("b")])
    assert keys_of(unit) == ["b"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def test_a_full_disk_stops_writing_but_not_reading_and_heals(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/budget.db"
    migrate(url)
    with closing(open_database(url)) as database, closing(database.unit()) as unit:
        accepted = 0
        with contextlib.suppress(Unreachable):
            for _ in range(1000):
                write(unit, keys=[key(f"k{accepted}")], usage=[usage(f"u{accepted}")])
                accepted += 1
        unit.rollback()
        assert 10 < accepted < 1000
        for _ in range(3):
            with pytest.raises(Unreachable, match="full"):
                write(unit, keys=[key("big")], usage=[usage("big", metadata="x" * 500_000)])
            unit.rollback()
            assert count(database, "keys") == accepted
        remount(small_disk, "size=8m")
        write(unit, keys=[key("after")], usage=[usage("after")])
        assert count(database, "keys") == accepted + 1


def test_a_disk_that_became_read_only_is_unreachable_until_it_is_writable_again(
    small_disk: Path,
) -> None:
    url = f"sqlite:///{small_disk}/budget.db"
    migrate(url)
    with closing(open_database(url)) as database, closing(database.unit()) as unit:
        write(unit, keys=[key("before")])
        unit.close()
        database.close()
        remount(small_disk, "ro")
        with pytest.raises(Unreachable):
            unit.begin()
        remount(small_disk, "rw")
        write(unit, keys=[key("after")])
        assert count(database, "keys") == 2


# --- What costs nothing --------------------------------------------------------------------------


def test_a_batch_of_refusals_writes_nothing(path: Path, unit: SqliteUnit) -> None:
    write(unit, keys=[key("a")])
    log = path.with_name(f"{path.name}-wal")
    before = log.stat()
    for n in range(5):
        unit.begin()
        unit.claim([key("refused")])
        _, created = unit.heads([("pol_1", f"of its own {n}")], [])
        unit.write(Changes(heads_unused=created, keys_unused=[key("refused")]))
        unit.commit()
    after = log.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_the_number_of_a_transaction_that_wrote_nothing_is_used_again(unit: SqliteUnit) -> None:
    first = unit.begin()
    unit.write(Changes())
    unit.commit()
    second = unit.begin()
    unit.write(Changes(entries=[entry(second)]))
    unit.commit()
    assert second.xid == first.xid
    assert unit.begin().xid == second.xid + 1


def test_a_batch_may_be_written_in_parts(unit: SqliteUnit) -> None:
    begun = unit.begin()
    unit.write(Changes(entries=[entry(begun, 0)]))
    unit.write(Changes(entries=[entry(begun, 1)]))
    unit.commit()
    assert unit.begin().xid == begun.xid + 1


def test_no_statement_reads_a_table_from_end_to_end(path: Path, unit: SqliteUnit) -> None:
    make_heads(unit, "a")  # the planner must not need to know that tables are empty
    statements = [
        text
        for name, value in vars(sqlite_sql).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str | dict)
        for text in (value.values() if isinstance(value, dict) else [value])
        if text.split()[0] not in ("BEGIN", "COMMIT", "ROLLBACK")
    ]
    assert len(statements) > 60
    tables = set(schema.metadata.tables)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")
            ).fetchall()
            scanned = {step[3].split()[1] for step in plan if step[3].startswith("SCAN ")}
            assert not scanned & tables, (statement, plan)


# --- Closing -------------------------------------------------------------------------------------


def test_the_last_to_close_leaves_a_single_file(
    path: Path, unit: SqliteUnit, database: SqliteDatabase
) -> None:
    write(unit, keys=[key("a")])
    assert count(database, "keys") == 1
    assert files(path) == {"", "-wal", "-shm", ".lock"}
    unit.close()
    database.close()
    assert files(path) == {"", ".lock"}
    assert keys_of(unit) == ["a"]


def test_a_closed_unit_has_folded_the_log_even_while_others_read(
    path: Path, unit: SqliteUnit, database: SqliteDatabase
) -> None:
    write(unit, keys=[key("a")])
    with database.engine.connect():
        unit.close()
        assert path.with_name(f"{path.name}-wal").stat().st_size == 0


def test_a_unit_that_never_began_closes(path: Path) -> None:
    SqliteUnit(path.with_name("nowhere.db")).close()
    assert not path.with_name("nowhere.db.lock").exists()


def test_rows_of_the_wrong_width_are_broken(unit: SqliteUnit) -> None:
    unit.begin()
    with pytest.raises(Broken):
        unit.write(Changes(keys=[("a", "b")]))

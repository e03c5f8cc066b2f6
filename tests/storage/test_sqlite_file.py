"""A SQLite file that several processes share: who folds the log and when, and that nothing is lost.

SQLite 3.7.0 to 3.51.2 may lose commits when one connection resets the log while another writes. We
keep clear of it by folding under the lock only; the tests hold us to that, and count every row.
"""

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from budget.storage import schema, sqlite_file, sqlite_unit
from budget.storage.database import open_database
from budget.storage.errors import Unreachable
from budget.storage.sqlite_database import SqliteDatabase
from budget.storage.sqlite_file import Lock, Log, connect_reader, connect_writer
from budget.storage.sqlite_unit import SqliteUnit
from tests.support.databases import SqliteDatabases
from tests.support.rows import allocation, key, usage
from tests.support.units import count, make_heads, migrate, write

PAGE_BYTES = 4096

NewSqliteUnit = Callable[..., SqliteUnit]


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
    """Makes units that fold their log as told, and closes them."""
    made: list[SqliteUnit] = []

    def new(fold_pages: int = sqlite_file.FOLD_PAGES) -> SqliteUnit:
        made.append(SqliteUnit(path, fold_pages=fold_pages))
        return made[-1]

    yield new
    for unit in made:
        unit.close()


def log_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def integrity(path: Path) -> str:
    with closing(connect_reader(path)) as connection:
        answer: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
    return answer


# --- Who may read it -----------------------------------------------------------------------------


def test_what_is_created_is_for_its_owner_only(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/folder/budget.db"
    with closing(open_database(url)) as database:
        database.migrate()
        with closing(database.unit()) as unit:
            unit.begin()
            folder = tmp_path / "new" / "folder"
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(
        ("budget.db", "budget.db-shm", "budget.db-wal", "budget.db.lock"), 0o600
    )


# --- The log -------------------------------------------------------------------------------------


def test_no_connection_folds_the_log_of_itself(path: Path) -> None:
    for connect in (connect_writer, connect_reader):
        with closing(connect(path)) as connection:
            assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_committed_is_on_the_disk(path: Path) -> None:
    with closing(connect_writer(path)) as connection:
        full = 2
        assert connection.execute("PRAGMA synchronous").fetchone() == (full,)


def test_readers_neither_fold_nor_remove_the_log(
    path: Path, new_unit: NewSqliteUnit, database: SqliteDatabase
) -> None:
    unit = new_unit()
    write(unit, keys=[key(f"k{n}") for n in range(200)])
    in_the_log, in_the_file = log_bytes(path), path.stat()
    for _ in range(20):
        with closing(connect_reader(path)) as reader:
            assert reader.execute("SELECT count(*) FROM keys").fetchone() == (200,)
            with pytest.raises(sqlite3.OperationalError):
                reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert count(database, "keys") == 200
    assert log_bytes(path) == in_the_log
    assert path.stat().st_mtime_ns == in_the_file.st_mtime_ns


def test_a_reader_that_is_the_last_to_close_after_a_crash_leaves_the_log_whole(path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from budget.storage.sqlite_unit import SqliteUnit
from budget.storage.unit import Changes
unit = SqliteUnit(Path(sys.argv[1]))
unit.begin()
unit.write(Changes(keys=[("a", "place", "k", "h", "r", 1)]))
unit.commit()
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    in_the_log = log_bytes(path)
    assert in_the_log > 0
    with closing(connect_reader(path)) as reader:
        assert reader.execute("SELECT count(*) FROM keys").fetchone() == (1,)
    assert log_bytes(path) == in_the_log
    with closing(connect_reader(path)) as reader:
        assert reader.execute("SELECT count(*) FROM keys").fetchone() == (1,)


def test_the_log_is_due_when_it_has_grown_by_so_many_pages(
    path: Path, new_unit: NewSqliteUnit
) -> None:
    unit = new_unit()
    write(unit, keys=[key("first")])
    with closing(Log(path, 1)) as any_page, closing(Log(path, 10_000)) as many:
        assert any_page.is_due()
        assert not many.is_due()
    frames = (log_bytes(path) - 32) // (PAGE_BYTES + 24)
    with closing(Log(path, frames)) as exactly, closing(Log(path, frames + 1)) as more:
        assert exactly.is_due()
        assert not more.is_due()


def test_a_log_begun_anew_is_not_due_though_the_file_is_long(
    path: Path, new_unit: NewSqliteUnit
) -> None:
    unit = new_unit()
    write(unit, keys=[key(f"k{n}") for n in range(500)])
    with closing(Log(path, 10)) as log, closing(connect_writer(path)) as writer:
        assert log.is_due()
        log.fold(writer)
        write(unit, keys=[key("after")])
        assert log_bytes(path) > 10 * PAGE_BYTES
        assert not log.is_due()


def test_the_log_does_not_grow_without_bound(path: Path, new_unit: NewSqliteUnit) -> None:
    unit = new_unit(fold_pages=40)
    longest = 0
    for n in range(300):
        write(unit, keys=[key(f"k{n}")], usage=[usage(f"u{n}", metadata="x" * 2000)])
        longest = max(longest, log_bytes(path))
    # 300 batches of at least 8 pages would be 10 MB.
    assert longest < 2 * 40 * (PAGE_BYTES + 24) + 32
    assert integrity(path) == "ok"


def test_a_log_that_a_reader_held_up_is_cut_when_the_reader_is_gone(
    path: Path, new_unit: NewSqliteUnit, database: SqliteDatabase
) -> None:
    unit = new_unit(fold_pages=20)
    with database.engine.connect() as reader:
        assert reader.execute(select(schema.keys.c.key)).all() == []
        for n in range(100):
            write(unit, usage=[usage(f"u{n}", metadata="x" * 9000)])
        held_up = log_bytes(path)
        assert held_up > 4 * 20 * PAGE_BYTES
    for n in range(10):
        write(unit, keys=[key(f"k{n}")])
    assert log_bytes(path) < held_up // 4
    assert count(database, "usage") == 100


def test_a_fold_that_fails_is_tried_again_and_harms_nobody(
    path: Path, new_unit: NewSqliteUnit
) -> None:
    unit = new_unit(fold_pages=5)
    write(unit, keys=[key("a")])
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("PRAGMA locking_mode = NORMAL")
        stranger.execute("BEGIN")
        stranger.execute("SELECT count(*) FROM keys").fetchall()
        for n in range(20):
            write(unit, keys=[key(f"k{n}")])
        stranger.execute("COMMIT")
    for n in range(20):
        write(unit, keys=[key(f"l{n}")])
    assert log_bytes(path) < 40 * PAGE_BYTES


# --- Only under the lock -------------------------------------------------------------------------


class Watched:
    """Notes every statement that folds the log, and whether its unit held the lock then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folds: list[bool] = []
        self.units: list[SqliteUnit] = []
        real = sqlite_file.connect_writer

        def connect(*given: Any) -> sqlite3.Connection:
            connection = real(*given)
            connection.set_trace_callback(self._note)
            return connection

        monkeypatch.setattr(sqlite_unit, "connect_writer", connect)
        monkeypatch.setattr(sqlite_file, "connect_writer", connect)

    def _note(self, statement: str) -> None:
        if "wal_checkpoint" in statement:
            self.folds.append(any(unit._lock.held for unit in self.units))


def test_the_log_is_folded_under_the_lock_only(
    monkeypatch: pytest.MonkeyPatch, new_unit: NewSqliteUnit
) -> None:
    watched = Watched(monkeypatch)
    unit = new_unit(fold_pages=5)
    watched.units.append(unit)
    for n in range(50):
        write(unit, placed=[allocation(f"a{n}")])
    unit.close()
    assert len(watched.folds) > 10
    assert all(watched.folds)


def test_a_fold_without_the_lock_would_have_been_seen(
    monkeypatch: pytest.MonkeyPatch, new_unit: NewSqliteUnit
) -> None:
    watched = Watched(monkeypatch)
    unit = new_unit()
    watched.units.append(unit)
    write(unit, placed=[allocation("a")])
    assert unit._connection is not None
    unit._log.fold(unit._connection)
    assert watched.folds == [False]


def test_the_lock_excludes_others_in_this_process_and_in_another(path: Path) -> None:
    mine, other = Lock(path), Lock(path)
    mine.acquire()
    with pytest.raises(Unreachable):
        other.acquire(0)
    script = """
import sys
from pathlib import Path
from budget.storage.errors import Unreachable
from budget.storage.sqlite_file import Lock
try:
    Lock(Path(sys.argv[1])).acquire(0.05)
except Unreachable:
    sys.exit(7)
"""
    command = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(command, check=False).returncode == 7
    mine.release()
    assert subprocess.run(command, check=False).returncode == 0
    other.acquire(0)
    mine.close()
    other.close()


BUSY = """
import sys, time
from pathlib import Path
from budget.storage.sqlite_file import Lock
path = Path(sys.argv[1])
lock = Lock(path)
with path.with_name("holds").open("ab", buffering=0) as holds:
    print("started", flush=True)
    while True:
        lock.acquire()
        holds.write(b".")
        time.sleep(0.003)
        lock.release()
"""


@pytest.fixture
def busy(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lets go of the lock only to take it again."""
    command = [sys.executable, "-c", BUSY, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        yield process
        process.kill()


def passed_over(lock: Lock, path: Path) -> int:
    """How often the busy process got the lock while this one asked for it."""
    time.sleep(0.005)  # the other one has it by then
    holds = path.with_name("holds")
    before = holds.stat().st_size
    lock.acquire()
    after = holds.stat().st_size
    lock.release()
    return after - before


def test_a_process_that_takes_the_lock_again_and_again_lets_others_go_first(
    path: Path, busy: subprocess.Popen[bytes]
) -> None:
    with closing(Lock(path)) as lock:
        times = sorted(passed_over(lock, path) for _ in range(31))
    # Without the courtesy it is often hundreds, and takes longer than the 2 s we wait.
    assert times[15] <= 5


def test_what_others_wrote_into_the_lock_file_stays(path: Path) -> None:
    path.with_name(f"{path.name}.lock").write_text("http://127.0.0.1:8013\n")
    lock = Lock(path)
    lock.acquire()
    lock.close()
    assert path.with_name(f"{path.name}.lock").read_text() == "http://127.0.0.1:8013\n"


# --- Several processes ---------------------------------------------------------------------------

WRITER = """
import json, sys
from pathlib import Path
from budget.storage.errors import Unreachable
from budget.storage.sqlite_unit import SqliteUnit
from budget.storage.unit import HEAD_COLUMNS, Changes
from tests.support.rows import allocation, entry, head, usage

path, name, batches, fold_pages = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
unit = SqliteUnit(path, fold_pages=fold_pages, wait_seconds=30)
folds = 0
fold = unit._log.fold

def counted(connection):
    global folds
    assert unit._lock.held and not connection.in_transaction
    folds += 1
    fold(connection)

unit._log.fold = counted
for n in range(batches):
    begun = unit.begin()
    rows, _ = unit.heads([("pol_1", "a"), ("pol_1", "b"), ("pol_1", f"{name}-{n % 7}")], [])
    unit.write(Changes(
        entries=[entry(begun, 0), entry(begun, 1)],
        placed=[allocation(f"{name}-{n}", metadata="x" * (n * 37 % 900))],
        usage=[usage(f"{name}-{n}", metadata="y" * (n * 91 % 3000))],
        heads=[head(row[0], row[3], spent=row[HEAD_COLUMNS.index("spent")] + 1) for row in rows],
    ))
    unit.commit()
    if n % 20 == 19:
        unit.close()
print(json.dumps({"folds": folds}))
"""


def start_writer(path: Path, name: str, batches: int, fold_pages: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(batches), str(fold_pages)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize("fold_pages", [1, 30])
def test_processes_that_write_one_file_and_fold_all_the_time_lose_nothing(
    path: Path,
    new_unit: NewSqliteUnit,
    database: SqliteDatabase,
    long_run: bool,
    fold_pages: int,
) -> None:
    batches = 2000 if long_run else 120
    make_heads(new_unit(), "a", "b")
    writers = [start_writer(path, name, batches, fold_pages) for name in ("one", "two")]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        now = count(database, "entries")  # a reader comes and goes meanwhile
        assert now >= seen
        assert now % 2 == 0
        seen = now
    told = [json.loads(writer.communicate()[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert all(answer["folds"] > batches // 10 for answer in told)
    assert count(database, "entries") == 4 * batches
    assert count(database, "allocations") == 2 * batches
    assert count(database, "usage") == 2 * batches
    heads = schema.heads.c
    with database.engine.connect() as connection:
        rows = connection.execute(select(heads.partition, heads.spent)).all()
        spent = {row.partition: row.spent for row in rows}
        xid = connection.execute(select(schema.state.c.xid)).scalar_one()
    assert (spent.pop("a"), spent.pop("b")) == (2 * batches, 2 * batches)
    assert sum(spent.values()) == 2 * batches
    assert xid == 2 * batches
    assert integrity(path) == "ok"

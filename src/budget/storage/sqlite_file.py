"""A SQLite file that several processes share: its lock, its connections, and its write-ahead log.

The log is folded back into the file (a checkpoint) only by who holds the lock, which is also the
only one to write. SQLite 3.7.0 to 3.51.2 may otherwise lose commits when one connection resets the
log while another writes. Hence: automatic checkpoints are off on every connection; readers open the
file read-only, which leaves them no means to fold; and the fold at the last close of all takes
SQLite's own exclusive lock on the file, so that nobody else is there. Not here: what is written
(`sqlite_unit`).
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from budget.storage.durability import Durability
from budget.storage.errors import Unreachable

LOCK_SECONDS: Final = 2.0
FOLD_PAGES: Final = 4_000
"""The log is folded when it has grown by so many pages.

Measured on a virtual disk: folding 500 pages takes 20 ms, 4,000 50 ms, 8,000 90 ms. At 4,000 a load
of small batches (20 to 40 pages each) meets a fold in fewer than one of a hundred.
"""
TRUNCATE_FACTOR: Final = 4
"""A log longer than so many folds was held up by a reader; it is cut when the reader is gone."""

_SYNCHRONOUS: Final = {0: "off", 1: "normal", 2: "full", 3: "extra"}
_FULL: Final = 2
_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_FIRST_PAUSE_SECONDS: Final = 0.0001
_LONGEST_PAUSE_SECONDS: Final = 0.0005
_TELL_SECONDS: Final = 0.005
_YIELD_SECONDS: Final = 0.001

Identity = tuple[int, int]


def identity(path: Path | str) -> Identity | None:
    """What tells a file from another that takes its place; None when there is none.

    The file is never opened but by SQLite: closing it would drop this process's locks on it.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def create_file(path: Path) -> None:
    """Make the folder (0700) and an empty file (0600) unless they are there; OSError if not."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def connect_writer(path: Path, busy_seconds: float = LOCK_SECONDS) -> sqlite3.Connection:
    """A connection that may write, for who holds the lock; sqlite3.Error when it cannot be had.

    It waits so long for programs that write to the file without asking for the lock.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -4096")  # in KiB; with 16 MB it is no faster
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
        connection.execute("PRAGMA recursive_triggers = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor fold the log."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=ro",
        uri=True,
        timeout=LOCK_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA schema_version").fetchall()  # whether it is a database at all
    except BaseException:
        connection.close()
        raise
    return connection


def durability_of(connection: sqlite3.Connection) -> Durability:
    """What a connection has been told about disks: a log that is synced at each commit."""
    ((mode,),) = connection.execute("PRAGMA journal_mode").fetchall()
    ((level,),) = connection.execute("PRAGMA synchronous").fetchall()
    told = {"journal_mode": str(mode), "synchronous": _SYNCHRONOUS.get(level, str(level))}
    return Durability(told, mode == "wal" and level >= _FULL)


class Lock:
    """The exclusive flock on `<database>.lock`. What the file says is somebody else's business.

    Who waits sets the time of the file; who had the lock and sees that then lets others go first.
    Without that a busy process kept another waiting for a second, though it let go all the time.
    """

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.lock")
        self._name = os.fspath(self.path)
        self._file: int | None = None
        self._touched_ns = 0
        self.held = False

    def acquire(self, seconds: float = LOCK_SECONDS) -> None:
        """Wait for the lock, at most so long; Unreachable if it cannot be had."""
        assert not self.held, "the lock is held"
        if self._file is not None and os.fstat(self._file).st_mtime_ns != self._touched_ns:
            time.sleep(_YIELD_SECONDS)
        if not self._try():
            self._wait(time.monotonic() + seconds)

    def _wait(self, give_up_at: float) -> None:
        pause = _FIRST_PAUSE_SECONDS
        tell_at = 0.0
        while not self._try():
            now = time.monotonic()
            if now >= give_up_at:
                raise Unreachable(f"another process holds {self.path}")
            if now >= tell_at and self._file is not None:
                with contextlib.suppress(OSError):
                    os.utime(self._file, ns=(time.time_ns(),) * 2)
                tell_at = now + _TELL_SECONDS
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _try(self) -> bool:
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            self.held = True  # said before: whatever interrupts us then lets go of it
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.held = False
            return False
        except OSError as error:
            self.close()
            raise Unreachable(f"cannot lock {self.path}: {error.strerror}") from error
        mine = os.fstat(self._file)
        if identity(self._name) != (mine.st_dev, mine.st_ino):
            self.close()  # somebody took the file away: others lock another one by now
            return False
        self._touched_ns = mine.st_mtime_ns
        return True

    def release(self) -> None:
        """Let go, if it is held."""
        if self.held and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self.held = False

    def close(self) -> None:
        """Let go of the lock and of its file."""
        self.held = False
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Log:
    """How far the write-ahead log has grown, read from its frames, and its folding.

    Looking costs two small reads. SQLite takes no locks on this file, so we may open it too.
    """

    def __init__(self, database: Path, fold_pages: int = FOLD_PAGES) -> None:
        self.path = database.with_name(f"{database.name}-wal")
        self._name = os.fspath(self.path)
        self.fold_pages = fold_pages
        self._file: int | None = None
        self._opened: Identity | None = None
        self._salts = b""
        self._page_bytes = 0
        self._due_at_frame = fold_pages

    def open(self) -> None:
        """Open the file that is there, and know it again; for whose connection has made it."""
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
            found = os.fstat(self._file)
            self._opened = found.st_dev, found.st_ino

    @property
    def was_taken(self) -> bool:
        """Whether the file that was opened lies there no more: nobody else would see what is
        written to it. A restore that died right before its end leaves it so.
        """
        return self._file is not None and identity(self._name) != self._opened

    def is_due(self) -> bool:
        """Whether it has grown by `fold_pages` since it began anew, or was last folded."""
        try:
            self.open()
            assert self._file is not None
            header = os.pread(self._file, _HEADER_BYTES, 0)
            if len(header) < _HEADER_BYTES:
                return False
            salts = header[16:24]
            if salts != self._salts:  # begun anew since we looked
                self._salts = salts
                self._page_bytes = int.from_bytes(header[8:12], "big")
                self._due_at_frame = self.fold_pages
            frame_bytes = self._page_bytes + _FRAME_HEADER_BYTES
            at = _HEADER_BYTES + (self._due_at_frame - 1) * frame_bytes
            return os.pread(self._file, 8, at + 8) == salts
        except OSError:
            return False

    def fold(self, connection: sqlite3.Connection) -> None:
        """Copy the log into the database, as far as readers allow; cut it if it became too long.

        Only for who holds the lock, outside of a transaction. A failure leaves the log as it is:
        what is in it is committed all the same.
        """
        folded = self._checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")
        self._due_at_frame = max(folded, self._due_at_frame) + self.fold_pages
        if self.is_too_long():
            self.cut(connection)

    def is_too_long(self) -> bool:
        """Whether the file takes up more room than folding in time would have needed."""
        try:
            length = os.stat(self.path).st_size
        except OSError:
            return False
        return length > TRUNCATE_FACTOR * self.fold_pages * (self._page_bytes or 4096)

    def cut(self, connection: sqlite3.Connection) -> None:
        """Fold all of it and empty the file, unless a reader still needs it."""
        (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute("PRAGMA busy_timeout = 0").fetchall()
        self._checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}").fetchall()

    def _checkpoint(self, connection: sqlite3.Connection, pragma: str) -> int:
        try:
            _, frames, _ = connection.execute(pragma).fetchone()
        except sqlite3.Error:
            return 0
        return int(frames)

    def set_aside(self, database: Path) -> None:
        """Another file has taken the place of the database: do not let it be mixed with this log.

        Only for who holds the lock. A log that came with the new file stays where it is.
        """
        if self._opened is None or identity(self.path) != self._opened:
            return
        for name in (f"{database.name}-wal", f"{database.name}-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(database.with_name(name), database.with_name(f"{name}.old"))

    def close(self) -> None:
        """Let go of the file."""
        self._salts = b""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def tidy(database: Path) -> None:
    """Fold what is left in the log and remove it, if nobody else has the file open."""
    if identity(database.with_name(f"{database.name}-wal")) is None or identity(database) is None:
        return
    lock = Lock(database)
    with contextlib.suppress(Unreachable, sqlite3.Error):
        lock.acquire(0)
        connect_writer(database).close()
    lock.close()

"""Copies of the books: a backup made while they are in use, and one put in force again.

    backup(Path("budget.db"), Path("copy.db"))
    restore(Path("copy.db"), Path("budget.db"), discard=False)

A copy is a SQLite file like the ledger's own, of one moment, and a manifest beside it. It takes its
name when it is whole, checked and on the disk. A restored ledger begins a new epoch, so that no
transaction number and no cursor stands for two things. A source or target that is text is the URL
of a PostgreSQL database. Not here: how rows come out of one, and into it (`carrying`).
"""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from budget.domain import cursors
from budget.domain.errors import Conflict, Unavailable
from budget.engine.manifests import Manifest, checked_manifest, manifest_file, read_manifest
from budget.storage.errors import Unreachable
from budget.storage.sqlite_file import Lock, connect_reader, connect_writer, tidy

Progress = Callable[[int, int], None]

LOCK_SECONDS: Final = 10
_PAGES: Final = 2000
_XIDS_PER_SECOND: Final = 256
"""A restored ledger numbers its transactions from the time on, so many each second: two restores
of one copy share no number, unless the first wrote more batches than that all the time between.
"""
_LEFT_SECONDS: Final = 3600
"""Nobody works any more on a part that was not touched for so long."""
_MAX_EPOCH: Final = (1 << 10) - 1


class Restored(NamedTuple):
    """What became of a restore: the new epoch, where the old file lies, what it had beyond."""

    manifest: Manifest
    epoch: int
    kept: Path | None
    discarded_entries: int
    open_allocations: int


def backup(source: Path | str, copy: Path, *, progress: Progress | None = None) -> Manifest:
    """Copy the ledger as it is at this moment, check the copy, and give it its name.

    The writer goes on meanwhile. Conflict if the copy does not add up; Unavailable if it cannot be
    written: then nothing is left.
    """
    part = _part_of(copy)
    try:
        _write_copy(source, part, progress)
        manifest = read_manifest(part)
        _check(part)
        _sync(part)
        note = _part_of(manifest_file(copy))
        with contextlib.ExitStack() as undo:
            undo.callback(note.unlink, missing_ok=True)
            _write_private(note, json.dumps(manifest._asdict(), indent=2).encode() + b"\n")
            manifest_file(copy).unlink(missing_ok=True)  # one of another copy would not fit
            os.replace(part, copy)
            os.replace(note, manifest_file(copy))
        _sync(copy.parent)
        return manifest
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The copy cannot be written to {copy}: {error}.") from error
    finally:
        _remove(part)


def _write_copy(source: Path | str, part: Path, progress: Progress | None) -> None:
    if isinstance(source, Path):
        _copy_pages(source, part, progress)
        return
    from budget.engine.carrying import take_out

    take_out(source, part, progress)


def restore(
    copy: Path, target: Path, *, discard: bool, progress: Progress | None = None
) -> Restored:
    """Put a copy in force as the ledger at `target`; what was there is kept beside it.

    The copy is checked first, whole, and is not changed. Conflict where the target has entries that
    the copy has not, unless `discard`, and where it is in use. Up to the last step, which is one
    rename, the old ledger is in force.
    """
    manifest = checked_manifest(copy)
    lock = Lock(target)
    part = _part_of(target)
    try:
        lock.acquire(LOCK_SECONDS)
        old = _old_state(target)
        beyond = _entries_beyond(target, manifest)
        _check_beyond(str(target), beyond, discard=discard)
        _copy_pages(copy, part, progress)
        epoch = _begin_epoch(part, old)
        _note_restore(part, manifest, beyond)
        _check(part)
        held = _open_allocations(part)
        _sync(part)
        kept = _take_place(part, target)
        return Restored(manifest, epoch, kept, beyond, held)
    except Unreachable as error:
        raise Conflict(f"{target} is in use: {error}.", code="in_use") from error
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The copy cannot be put in force at {target}: {error}.") from error
    finally:
        lock.close()
        _remove(part)


def restore_to_server(
    copy: Path, url: str, *, discard: bool, progress: Progress | None = None
) -> Restored:
    """Put a copy in force as the books of a PostgreSQL database; what was there is copied first.

    Conflict as with `restore`. What was there lies beside the copy then. It is in force until the
    one transaction that replaces it commits.
    """
    from budget.engine import carrying

    manifest = checked_manifest(copy)
    part = _part_of(copy)
    try:
        there = carrying.standing_of(url)
        beyond = 0 if there.empty else carrying.entries_beyond(url, manifest.last_entry)
        _check_beyond("The database", beyond, discard=discard)
        kept = None if there.empty else _keep(url, copy)
        _copy_pages(copy, part, None)
        epoch = 1 + _begin_epoch(part, (max(there.epoch, _epoch_of(there.last_entry)),
                                        there.catalogue_version))  # fmt: skip
        _note_restore(part, manifest, beyond)
        _check(part)
        held = _open_allocations(part)
        carrying.put_in(part, url, there, epoch=epoch, progress=progress)
        return Restored(manifest, epoch, kept, beyond, held)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The copy cannot be put in force: {error}.") from error
    finally:
        _remove(part)


def _epoch_of(entry_id: int) -> int:
    return cursors.unpack(entry_id).epoch


def _keep(url: str, copy: Path) -> Path:
    """Copy the books that are to be replaced, as they are, even if they don't add up."""
    from budget.engine.carrying import take_out

    kept = copy.with_name(f"{copy.name}.before-restore-{time.time_ns() // 1000}")
    part = _part_of(kept)
    try:
        take_out(url, part)
        _sync(part)
        os.replace(part, kept)
        _sync(kept.parent)
    finally:
        _remove(part)
    return kept


def _check_beyond(what: str, beyond: int, *, discard: bool) -> None:
    if beyond and not discard:
        raise Conflict(
            f"{what} has {beyond:,} {'entry' if beyond == 1 else 'entries'} that the copy "
            "has not; --yes puts the copy in force all the same and keeps what is there now.",
            code="later_entries",
        )


def _old_state(target: Path) -> tuple[int, int]:
    """(epoch, catalogue version) of the ledger that is in force; zeros where there is none."""
    if not target.exists() or not target.stat().st_size:
        return 0, 0
    try:
        with closing(connect_reader(target)) as connection:
            row = connection.execute(
                "SELECT epoch, catalogue_version FROM state WHERE id = 1"
            ).fetchone()
    except sqlite3.Error:  # what is broken is what one restores over
        return 0, 0
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def _entries_beyond(target: Path, manifest: Manifest) -> int:
    if not target.exists() or not target.stat().st_size:
        return 0
    try:
        with closing(connect_reader(target)) as connection:
            found = connection.execute(
                "SELECT count(*) FROM entries WHERE id > ?", (manifest.last_entry,)
            ).fetchone()
    except sqlite3.Error:
        return 0
    return int(found[0])


def _begin_epoch(part: Path, old: tuple[int, int]) -> int:
    """Count the epoch up beyond any that was; transactions are numbered from the time on."""
    from budget.storage.database import open_database

    with closing(open_database(f"sqlite:///{part}")) as database:
        database.migrate()
    with closing(connect_writer(part)) as connection:
        epoch, xid, last = connection.execute(
            "SELECT epoch, xid, (SELECT coalesce(max(id), 0) FROM entries) FROM state"
        ).fetchone()
        new = max(epoch, cursors.unpack(last).epoch, old[0]) + 1
        if new > _MAX_EPOCH:
            raise Conflict("This ledger was restored too often to be restored again.")
        at = max(xid, time.time_ns() * _XIDS_PER_SECOND // 10**9)
        connection.execute(
            "UPDATE state SET epoch = ?, xid = ?, catalogue_version = "
            "max(catalogue_version, ?) + 1 WHERE id = 1",
            (new, at, old[1]),
        )
    return int(new)


def _note_restore(part: Path, manifest: Manifest, beyond: int) -> None:
    """Write into the journal that the books were restored, from what."""
    from budget.engine.batch import Batch
    from budget.engine.books import Books
    from budget.engine.callers import LOCAL
    from budget.prices.book import PriceBook

    detail = {
        "copied_entries": manifest.entries, "last_entry": cursors.encode(manifest.last_entry),
        "discarded_entries": beyond, "sha256": manifest.sha256,
    }  # fmt: skip

    def note(batch: Batch) -> None:
        batch.enter("restored", LOCAL.actor, [], detail)
        batch.write(batch.needs.keys)

    books = Books.open(f"sqlite:///{part}", prices=PriceBook(None), sweep=False)
    with closing(books):
        books.ledger.do_change(note)


def _open_allocations(part: Path) -> int:
    with closing(connect_reader(part)) as connection:
        found = connection.execute("SELECT count(*) FROM allocations WHERE status = 'open'")
        return int(found.fetchone()[0])


def _take_place(part: Path, target: Path) -> Path | None:
    """Give the new file its name; the old one is kept. Under the lock: nobody writes."""
    kept: Path | None = None
    log = target.with_name(f"{target.name}-wal")
    if target.exists() and target.stat().st_size:
        kept = target.with_name(f"{target.name}.before-restore-{time.time_ns() // 1000}")
        _fold(target)
        if log.exists() and log.stat().st_size:
            raise Conflict(
                f"{target} is being read; stop what reads it and try again.", code="in_use"
            )
        os.link(target, kept)
    for name in (log, target.with_name(f"{target.name}-shm")):
        name.unlink(missing_ok=True)  # empty by now
    os.replace(part, target)
    _sync(target.parent)
    return kept


def _fold(target: Path) -> None:
    """Bring what is in the old ledger's log into its file, so that the file alone is all of it."""
    with contextlib.suppress(sqlite3.DatabaseError), closing(connect_writer(target)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _copy_pages(source: Path, part: Path, progress: Progress | None) -> None:
    """Copy one moment of a database: a transaction that only reads is open meanwhile."""
    _write_private(part, b"")
    with closing(connect_reader(source)) as reader, closing(sqlite3.connect(part)) as writer:
        writer.isolation_level = None
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchall()

        def tell(_: int, left: int, total: int) -> None:
            if progress is not None:
                progress(total - left, total)

        reader.backup(writer, pages=_PAGES, progress=tell)
        reader.execute("ROLLBACK")
        writer.execute("PRAGMA journal_mode = DELETE").fetchall()


def _check(part: Path) -> None:
    """Conflict unless the file is sound and its books add up."""
    from budget.engine.verify import verify
    from budget.storage.database import open_database
    from budget.storage.migrations import REVISION, is_latest

    with closing(connect_reader(part)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        latest = is_latest(connection.execute(REVISION).fetchall())
    if sound != "ok":
        raise Conflict(f"The copy is damaged: {sound}.", code="damaged")
    if not latest:  # of an older Budget: its books are read once they are brought up to date
        return
    with closing(open_database(f"sqlite:///{part}")) as database:
        found = verify(database)
    if not found.clean:
        first = found.violations[0]
        raise Conflict(
            f"The books of the copy do not add up: {first.invariant} {first.subject}. "
            "`budget verify` lists all.",
            code="damaged",
        )


def _part_of(file: Path) -> Path:
    """Where what is to be `file` is written; what died before it was done is cleared away."""
    start = f".{file.name}.part-"
    with contextlib.suppress(OSError):
        for left in file.parent.iterdir():
            if left.name.startswith(start) and time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink(missing_ok=True)
    return file.parent / f"{start}{os.getpid()}"


def _write_private(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(part: Path) -> None:
    tidy(part)
    for end in ("", "-wal", "-shm", "-journal", ".lock"):
        part.with_name(f"{part.name}{end}").unlink(missing_ok=True)

"""Manifests: what a copy of the books holds, written beside it, and whether it is still that.

Not here: making copies and putting them in force (`copying`).
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from budget.domain.errors import InvalidInput, NotFound
from budget.storage.sqlite_file import connect_reader
from budget.version import __version__

_CHUNK_BYTES: Final = 1 << 20


class Manifest(NamedTuple):
    """What a copy holds: the version and revision that wrote it, where its journal ends, counts."""

    budget_version: str
    revision: str
    created_us: int
    epoch: int
    xid: int
    last_entry: int
    seal: str
    entries: int
    usage_records: int
    allocations: int
    budgets: int
    size_bytes: int
    sha256: str


def manifest_file(copy: Path) -> Path:
    """Where the manifest of a copy lies."""
    return copy.with_name(f"{copy.name}.manifest.json")


def read_manifest(file: Path) -> Manifest:
    """What a ledger at rest holds; InvalidInput if it is none, Conflict if a newer one wrote it."""
    from budget.storage import migrations

    if not file.is_file():
        raise NotFound("copy", str(file), f"There is no file {file}.")
    try:
        with closing(connect_reader(file)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if migrations.VERSION_TABLE not in tables or "state" not in tables:
                raise InvalidInput("FILE", f"{file} holds something else than a ledger.")
            revision = connection.execute(migrations.REVISION).fetchall()
            migrations.is_latest(revision)
            figures = _figures(connection)
    except sqlite3.Error as error:
        raise InvalidInput("FILE", f"{file} is not a sound SQLite database: {error}.") from None
    epoch, xid, last, seal, entries, used, allocations, budgets = figures
    return Manifest(
        __version__, str(revision[0][0]), time.time_ns() // 1000, epoch, xid, last, seal,
        entries, used, allocations, budgets, file.stat().st_size, _sha256(file),
    )  # fmt: skip


def _figures(connection: sqlite3.Connection) -> tuple[Any, ...]:
    epoch, xid = connection.execute("SELECT epoch, xid FROM state WHERE id = 1").fetchone()
    last = connection.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()[0]
    seal = connection.execute(
        "SELECT number || ':' || block_hash FROM blocks ORDER BY number DESC LIMIT 1"
    ).fetchone()
    counts = connection.execute(
        "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM usage), "
        "(SELECT count(*) FROM allocations), (SELECT count(*) FROM budgets)"
    ).fetchone()
    return epoch, xid, last, "" if seal is None else seal[0], *counts


def checked_manifest(copy: Path) -> Manifest:
    """What a copy holds; InvalidInput where its manifest tells otherwise."""
    manifest = read_manifest(copy)
    noted = manifest_file(copy)
    if noted.exists():
        try:
            told = json.loads(noted.read_bytes())["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            raise InvalidInput("FILE", f"{noted} is not a manifest; remove or mend it.") from None
        if told != manifest.sha256:
            raise InvalidInput("FILE", f"{copy} is not what its manifest tells: it was changed.")
    return manifest


def _sha256(file: Path) -> str:
    found = hashlib.sha256()
    for chunk in _chunks(file):
        found.update(chunk)
    return found.hexdigest()


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            yield chunk

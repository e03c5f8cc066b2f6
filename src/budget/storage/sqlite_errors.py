"""What SQLite's errors mean: which a new connection may cure, and which only time.

Not here: where they are caught (`sqlite_unit`).
"""

import sqlite3
from typing import Final

from budget.storage.errors import Broken, StorageError, Unreachable

REOPEN: Final = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""What a new connection may cure."""

UNREACHABLE: Final = REOPEN | {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}


def code_of(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code; None for what the driver itself complains about."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def translated(error: sqlite3.Error) -> StorageError:
    """The error as the ledger knows it."""
    kind = Unreachable if code_of(error) in UNREACHABLE else Broken
    return kind(f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})")

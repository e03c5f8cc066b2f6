"""Beside the ledger: transactions of what runs in the background, which keep no call waiting.

Not here: those of commands and of changes (`ledger`), and reads (`snapshots`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from budget.storage.database import Database
from budget.storage.unit import Unit


@contextmanager
def transaction(unit: Unit, database: Database) -> Iterator[int]:
    """A transaction of its own, committed at the end; gives the time."""
    try:
        begun = unit.begin()
        yield database.now_us() if begun.now_us is None else begun.now_us
        unit.commit()
    finally:
        unit.rollback()

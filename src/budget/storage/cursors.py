"""Cursors: (epoch, transaction, number within it) packed into one sortable int64, the id of an entry.

Epoch: 10 bits, counted up when a restored database is found. Transaction: 40 bits, PostgreSQL's own xid8
or SQLite's counter. Number: 13 bits, the entry's place in its batch.
"""

from typing import Final, NamedTuple

NUMBER_BITS: Final = 13
XID_BITS: Final = 40
MAX_ENTRIES_PER_BATCH: Final = 1 << NUMBER_BITS


class Cursor(NamedTuple):
    """An entry's place in the order that readers follow."""

    epoch: int
    xid: int
    number: int


def pack(epoch: int, xid: int, number: int) -> int:
    """The entry id of a cursor."""
    assert 0 <= number < MAX_ENTRIES_PER_BATCH, "a batch wrote more entries than a cursor can number"
    return (epoch << (XID_BITS + NUMBER_BITS)) | (xid << NUMBER_BITS) | number


def unpack(entry_id: int) -> Cursor:
    """The cursor of an entry id."""
    return Cursor(
        entry_id >> (XID_BITS + NUMBER_BITS),
        (entry_id >> NUMBER_BITS) & ((1 << XID_BITS) - 1),
        entry_id & (MAX_ENTRIES_PER_BATCH - 1),
    )

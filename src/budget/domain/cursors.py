"""Cursors: (epoch, transaction, number in it) packed into a sortable int64, the id of an entry.

Epoch: 10 bits, counted up when a restored database is found. Transaction: 40 bits, PostgreSQL's own
xid8 or SQLite's counter. Number: 13 bits, the entry's place in its batch.
"""

import re
from typing import Final, NamedTuple

from budget.domain.errors import InvalidInput

NUMBER_BITS: Final = 13
XID_BITS: Final = 40
MAX_ENTRIES_PER_BATCH: Final = 1 << NUMBER_BITS

_WRITTEN: Final = re.compile(r"ent_([0-7][0-9a-f]{15})")


class Cursor(NamedTuple):
    """An entry's place in the order that readers follow."""

    epoch: int
    xid: int
    number: int


def pack(epoch: int, xid: int, number: int) -> int:
    """The entry id of a cursor."""
    assert 0 <= number < MAX_ENTRIES_PER_BATCH, (
        "a batch wrote more entries than a cursor can number"
    )
    return (epoch << (XID_BITS + NUMBER_BITS)) | (xid << NUMBER_BITS) | number


def unpack(entry_id: int) -> Cursor:
    """The cursor of an entry id."""
    return Cursor(
        entry_id >> (XID_BITS + NUMBER_BITS),
        (entry_id >> NUMBER_BITS) & ((1 << XID_BITS) - 1),
        entry_id & (MAX_ENTRIES_PER_BATCH - 1),
    )


def encode(entry_id: int) -> str:
    """A cursor as callers see it: `ent_` and 16 hexadecimal digits; the text sorts as the id."""
    return f"ent_{entry_id:016x}"


def decode(text: object, field: str = "after") -> int:
    """The entry id of a cursor that `encode` wrote, else InvalidInput naming `field`."""
    written = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if written is None:
        raise InvalidInput(field, "is not a cursor; take it from next_cursor, or leave it out.")
    return int(written[1], 16)

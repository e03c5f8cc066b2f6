"""The chain: sealed entries are as they were sealed, and no block is missing (I14).

Names the first broken row of each block. Its own rendering of rows and blocks: it shares no code
with what made them (`engine.sealing`, which says how). Not here: what entries add up to (`replay`).
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from sqlalchemy import Connection, select

from budget.domain.answers_audit import Sealed
from budget.engine.audit.findings import Findings, stream
from budget.storage import schema

_ROW: Final = struct.Struct(">q16s")
_BLOCKS_AT_ONCE: Final = 8
"""Each has a quarter of a megabyte at most."""

_BLOCKS: Final = select(schema.blocks).order_by(schema.blocks.c.number)
_ENTRIES: Final = select(schema.entries).order_by(schema.entries.c.id)


def check_chain(
    connection: Connection, findings: Findings, anchor: tuple[int, str] | None = None
) -> Sealed:
    """Hold every sealed entry against its seal; `anchor`: a block's number and hash, once noted."""
    with closing(stream(connection, _ENTRIES)) as entries:
        return _check(connection, _Rows(entries), findings, anchor)


def _check(
    connection: Connection, rows: "_Rows", findings: Findings, anchor: tuple[int, str] | None
) -> Sealed:
    sealed = Sealed()
    last_id = -1
    for block in stream(connection, _BLOCKS, _BLOCKS_AT_ONCE):
        sealed.blocks += 1
        sealed.entries += block.entries
        _check_block(block, sealed, last_id, findings)
        _check_rows(block, rows, findings)
        if anchor is not None and block.number == anchor[0] and block.block_hash != anchor[1]:
            findings.add("I14", _name(block), f"its hash is not {anchor[1]}, as it once was")
        sealed.head = block.block_hash
        last_id = block.last_entry_id
    if anchor is not None and sealed.blocks < anchor[0]:
        findings.add("I14", f"block {anchor[0]}", "it was sealed once, and is not there")
    return sealed


def _name(block: Any) -> str:
    return f"block {block.number}"


def _check_block(block: Any, sealed: Sealed, last_id: int, findings: Findings) -> None:
    """That it follows the one before, and hashes to what it says."""
    if block.number != sealed.blocks:
        findings.add("I14", _name(block), f"block {sealed.blocks} should stand here")
        sealed.blocks = block.number
    if block.former_hash != sealed.head:
        findings.add("I14", _name(block), "it does not follow the block before it")
    written = f"{block.number}|{block.last_entry_id}|{block.sealed_us}|{block.former_hash}|"
    if hashlib.sha256(written.encode() + block.digests).hexdigest() != block.block_hash:
        findings.add("I14", _name(block), "its hash is not that of what it holds")
    if block.last_entry_id <= last_id:
        findings.add("I14", _name(block), "it ends before the block before it")


def _check_rows(block: Any, rows: "_Rows", findings: Findings) -> None:
    """Every entry up to the block's last one; the first that is not as it was sealed is told."""
    whole = len(block.digests) - len(block.digests) % _ROW.size
    wanted = list(_ROW.iter_unpack(block.digests[:whole]))
    if len(wanted) != block.entries or whole != len(block.digests):
        findings.add("I14", _name(block), f"it says {block.entries} entries and has {len(wanted)}")
    place, wrong = 0, ""
    for entry_id, found in rows.up_to(block.last_entry_id):
        if wrong:
            continue  # the rows of this block are read to its end all the same
        if place < len(wanted) and wanted[place] == (entry_id, found):
            place += 1
            continue
        if place >= len(wanted) or entry_id < wanted[place][0]:
            wrong = f"entry {entry_id} was added after it was sealed"
        elif entry_id > wanted[place][0]:
            wrong = f"entry {wanted[place][0]} was sealed, and is not there"
        else:
            wrong = f"entry {entry_id} is not as it was sealed"
    if not wrong and place < len(wanted):
        wrong = f"entry {wanted[place][0]} was sealed, and is not there"
    if wrong:
        findings.add("I14", _name(block), wrong)


class _Rows:
    """The entries in order, each with its digest, read once from front to back."""

    def __init__(self, entries: Iterator[Any]) -> None:
        self._rows = entries
        self._next = next(self._rows, None)

    def up_to(self, last_id: int) -> Iterator[tuple[int, bytes]]:
        """The entries not yet read, up to this id."""
        while self._next is not None and self._next[0] <= last_id:
            row = self._next
            self._next = next(self._rows, None)
            yield row[0], _digest(list(row))


def _digest(row: list[Any]) -> bytes:
    written = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).digest()[:16]

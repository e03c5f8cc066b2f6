"""Sealing: the journal, block by block, in a chain of hashes that shows what was tampered with.

A block holds a digest of each entry after the block before it, in order, and the hash of those with
the hash before. Whoever changes a sealed entry past the triggers would have to forge every block
since; who has noted a hash in the meantime still sees it. Blocks are made in the background, by
whichever process comes first. Not here: how they are checked (`audit.chain`, which shares no code
with this), and what an entry means (`reports`).

    digest of an entry  SHA-256 of its columns as a JSON array without blanks, 16 bytes of it
    hash of a block     SHA-256 of "number|last entry|sealed at|former hash|" and its digests
"""

import hashlib
import logging
import struct
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from sqlalchemy import insert, select

from budget.engine.background import Again
from budget.engine.beside import transaction
from budget.engine.journal import settled_below
from budget.engine.snapshots import snapshot
from budget.storage.errors import StorageError
from budget.storage.schema import blocks, entries

if TYPE_CHECKING:
    from budget.engine.books import Books
    from budget.storage.database import Database
    from budget.storage.unit import Unit

MAX_ENTRIES: Final = 10_000
"""Entries in one block."""
FULL: Final = 1_000
"""With so many entries a block is made at once; with fewer when the oldest has waited long enough.
"""
WAIT_US: Final = 60_000_000
ROUND_SECONDS: Final = 5.0
GENESIS: Final = "0" * 64
"""The hash before the first block."""
DIGEST_BYTES: Final = 16

_id: Final = struct.Struct(">q").pack
_rendered: Final = msgspec.json.Encoder().encode

log = logging.getLogger("budget.sealing")


class Block(NamedTuple):
    """A block that is still to be written."""

    number: int
    first_entry_id: int
    last_entry_id: int
    entries: int
    digests: bytes
    former_hash: str
    block_hash: str
    sealed_us: int


def digest(entry: tuple[Any, ...]) -> bytes:
    """An entry's id, in 8 bytes, and the digest of all its columns, in the order of the schema."""
    return _id(entry[0]) + hashlib.sha256(_rendered(entry)).digest()[:DIGEST_BYTES]


def hash_of(number: int, last_entry_id: int, sealed_us: int, former: str, digests: bytes) -> str:
    """The hash of a block."""
    head = f"{number}|{last_entry_id}|{sealed_us}|{former}|".encode()
    return hashlib.sha256(head + digests).hexdigest()


def next_block(database: "Database", *, now: bool = False) -> Block | None:
    """The block that should be made; None if too little has happened since the last one.

    `now`: of whatever there is, however little and late.
    """
    with snapshot(database) as connection:
        last = connection.execute(
            select(blocks.c.number, blocks.c.last_entry_id, blocks.c.block_hash)
            .order_by(blocks.c.number.desc())
            .limit(1)
        ).one_or_none()
        number, after, former = (0, -1, GENESIS) if last is None else last
        unsealed = select(entries).where(entries.c.id > after).order_by(entries.c.id)
        below = settled_below(connection)
        if below is not None:
            unsealed = unsealed.where(entries.c.id < below)
        found = connection.execute(unsealed.limit(MAX_ENTRIES)).all()
    now_us = database.now_us()
    if not found or not (now or len(found) >= FULL or found[0].at_us <= now_us - WAIT_US):
        return None
    digests = b"".join([digest(tuple(row)) for row in found])
    last_id = found[-1].id
    sealed = hash_of(number + 1, last_id, now_us, former, digests)
    return Block(
        number + 1, found[0].id, last_id, len(found), digests, former, sealed, now_us
    )  # fmt: skip


def seal(books: "Books", *, now: bool = False, stopped: threading.Event | None = None) -> int:
    """Seal what should be sealed; how many blocks were made.

    It writes beside the ledger's writer, in transactions of its own, and keeps nobody waiting.
    """
    unit = books.database.unit()
    made = 0
    try:
        while stopped is None or not stopped.is_set():
            block = next_block(books.database, now=now)
            if block is None or not _write(unit, books.database, block):
                break
            made += 1
            log.info("sealed block %d up to %s", block.number, block.block_hash)
    finally:
        unit.close()
    return made


def _write(unit: "Unit", database: "Database", block: Block) -> bool:
    """Write a block; False if another process was there first, or the database was not."""
    newest = select(blocks.c.number).order_by(blocks.c.number.desc()).limit(1)
    try:
        with transaction(unit, database):
            found = unit.execute(newest)
            if (found[0][0] if found else 0) != block.number - 1:
                return False
            unit.execute(insert(blocks).values(block._asdict()))
    except StorageError as error:
        log.debug("a block was not written: %s", error)
        return False
    return True


def sealer(books: "Books", every_seconds: float = ROUND_SECONDS) -> Again:
    """Seals every few seconds until it is closed."""
    return Again("sealer", every_seconds, lambda stopped: seal(books, stopped=stopped))

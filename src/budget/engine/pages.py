"""Pages: long lists in parts, each part found by the keys of the last row before it.

A page costs the same however far down it lies; rows that come meanwhile repeat and skip none. Not
here: the journal, whose readers follow cursors of their own (`storage.cursors`).
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Column, Connection, Integer, RowMapping, Select, Text, literal, tuple_

from budget.domain.errors import InvalidInput

T = TypeVar("T")

MAX_PAGE: Final = 1000
_MAX_CURSOR_CHARS: Final = 2048
_MAX_INT64: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_cursor` asks for the part after it, None when there is none."""

    items: list[T]
    next_cursor: str | None = None


def check_limit(limit: object) -> int:
    """How many items a page may have: 1 to 1000, or InvalidInput."""
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise InvalidInput("limit", f"must be a whole number from 1 to {MAX_PAGE}.")
    return limit


def read_page(
    connection: Connection,
    statement: Select[Any],
    keys: Sequence[Column[Any]],
    *,
    limit: int,
    cursor: str | None,
    newest_first: bool = True,
) -> tuple[list[RowMapping], str | None]:
    """The rows of one page, by `keys` (selected, and unique together), and the next cursor."""
    check_limit(limit)
    if cursor is not None:
        last = tuple_(*map(literal, _decode(cursor, keys)))
        statement = statement.where(tuple_(*keys) < last if newest_first else tuple_(*keys) > last)
    order = [key.desc() for key in keys] if newest_first else list(keys)
    found = connection.execute(statement.order_by(*order).limit(limit + 1)).mappings().all()
    if len(found) <= limit:
        return list(found), None
    kept = list(found[:limit])
    return kept, _encode([kept[-1][key] for key in keys])


def text_cursor(values: Sequence[str]) -> str:
    """The cursor of a list that is kept in memory, ordered by texts."""
    return _encode(list(values))


def texts_of(cursor: object, count: int) -> tuple[str, ...]:
    """The texts that `text_cursor` wrote."""
    return tuple(_decode(cursor, [Column(Text)] * count))


def _encode(values: list[Any]) -> str:
    written = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(written).rstrip(b"=").decode()


def _decode(cursor: object, keys: Sequence[Column[Any]]) -> list[Any]:
    """The key values a cursor stands for: as many and of the kinds that the list is ordered by."""
    unusable = InvalidInput("cursor", "is not a cursor of this list; take it from next_cursor.")
    if not isinstance(cursor, str) or len(cursor) > _MAX_CURSOR_CHARS:
        raise unusable
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError, binascii.Error):
        raise unusable from None
    if not isinstance(values, list) or len(values) != len(keys):
        raise unusable
    for value, key in zip(values, keys, strict=True):
        if isinstance(key.type, Integer):
            usable = type(value) is int and 0 <= value <= _MAX_INT64
        else:
            usable = isinstance(value, str) and is_storable(value)
        if not usable:
            raise unusable
    return values


def is_storable(text: str) -> bool:
    """Whether a database can be asked for a text at all: no NUL, no lone surrogates."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)

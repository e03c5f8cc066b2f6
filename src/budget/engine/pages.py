"""Pages: long lists in parts, each part found by the keys of the last row before it.

A page costs the same however far down it lies; rows that come meanwhile repeat and skip none. A
cursor is of one order: with another it is refused. Not here: the journal, whose readers follow
cursors of their own (`domain.cursors`).
"""

import base64
import binascii
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    Text,
    literal,
    tuple_,
)

from budget.domain.errors import InvalidInput

T = TypeVar("T")

MAX_PAGE: Final = 1000
MAX_LOOKED_AT: Final = 10_000
"""How many rows one page looks at most, where only some of them are shown."""
_MAX_CURSOR_CHARS: Final = 2048
_MAX_INT64: Final = 2**63 - 1


Key = ColumnElement[Any]


class Order(NamedTuple):
    """How a list is ordered: by keys that are unique together, all up or all down.

    `mark` stands in its cursors; the usual order of a list has none.
    """

    keys: Sequence[Key]
    down: bool = False
    mark: str = ""


def order_of(sort: object, orders: Mapping[str, Sequence[Key]], usual: str) -> Order:
    """The order that `sort` asks for: a name, with `-` before it from the greatest down; else the
    usual one. InvalidInput lists what there is.
    """
    asked = usual if sort is None else sort
    name = asked.removeprefix("-") if isinstance(asked, str) else ""
    if name not in orders:
        allowed = [f"{sign}{one}" for one in orders for sign in ("", "-")]
        raise InvalidInput("sort", "is not an order of this list.", allowed)
    assert isinstance(asked, str)
    return Order(orders[name], asked != name, "" if asked == usual else asked)


def check_limit(limit: object) -> int:
    """How many items a page may have: 1 to 1000, or InvalidInput."""
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise InvalidInput("limit", f"must be a whole number from 1 to {MAX_PAGE}.")
    return limit


def read_page(
    connection: Connection,
    statement: Select[Any],
    keys: Sequence[Key],
    *,
    limit: int,
    cursor: str | None,
    newest_first: bool = True,
    mark: str = "",
) -> tuple[list[RowMapping], str | None]:
    """The rows of one page, by `keys` (selected, and unique together), and the next cursor."""
    check_limit(limit)
    if cursor is not None:
        last = tuple_(*map(literal, _decode(cursor, keys, mark)))
        statement = statement.where(tuple_(*keys) < last if newest_first else tuple_(*keys) > last)
    order = [key.desc() for key in keys] if newest_first else list(keys)
    found = connection.execute(statement.order_by(*order).limit(limit + 1)).mappings().all()
    if len(found) <= limit:
        return list(found), None
    kept = list(found[:limit])
    return kept, _cursor_at(kept[-1], keys, mark)


def read_ordered(
    connection: Connection, statement: Select[Any], order: Order, *, limit: int, cursor: str | None
) -> tuple[list[RowMapping], str | None]:
    """The rows of one page in an order, and the next cursor."""
    return read_page(
        connection, statement, order.keys,
        limit=limit, cursor=cursor, newest_first=order.down, mark=order.mark,
    )  # fmt: skip


def read_kept(
    connection: Connection,
    statement: Select[Any],
    order: Order,
    keep: Callable[[list[RowMapping]], list[RowMapping]],
    *,
    limit: int,
    cursor: str | None,
    most: int = MAX_LOOKED_AT,
) -> tuple[list[RowMapping], str | None]:
    """One page of the rows that `keep` keeps, which no query can tell, and the next cursor.

    It looks at `most` rows or a few more; then the page may be short, even empty, and yet have a
    cursor.
    """
    check_limit(limit)
    found: list[RowMapping] = []
    looked_at = 0
    while True:
        some, after = read_ordered(connection, statement, order, limit=MAX_PAGE, cursor=cursor)
        found += keep(some)
        if len(found) > limit:
            return found[:limit], _cursor_at(found[limit - 1], order.keys, order.mark)
        looked_at += len(some)
        if after is None or looked_at >= most:
            return found, after
        cursor = after


def read_seen(
    connection: Connection,
    statement: Select[Any],
    order: Order,
    keep: Callable[[list[RowMapping]], list[RowMapping]],
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[RowMapping], str | None]:
    """The same where `keep` leaves out what its caller may not know of: pages are full, but the
    last.

    A cursor tells the keys of its row, so it must never be that of a row left out.
    """
    return read_kept(
        connection, statement, order, keep, limit=limit, cursor=cursor, most=sys.maxsize
    )


def text_cursor(values: Sequence[str]) -> str:
    """The cursor of a list that is kept in memory, ordered by texts."""
    return _encode(list(values))


def texts_of(cursor: object, count: int) -> tuple[str, ...]:
    """The texts that `text_cursor` wrote."""
    return tuple(_decode(cursor, [Column(Text)] * count))


def _encode(values: list[Any]) -> str:
    written = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(written).rstrip(b"=").decode()


def _cursor_at(row: RowMapping, keys: Sequence[Key], mark: str) -> str:
    marked = [mark] if mark else []
    return _encode(marked + [row[key] for key in keys])


def _decode(cursor: object, keys: Sequence[Key], mark: str = "") -> list[Any]:
    """The key values a cursor stands for: as many and of the kinds that the list is ordered by."""
    unusable = InvalidInput("cursor", "is not a cursor of this list; take it from next_cursor.")
    if not isinstance(cursor, str) or len(cursor) > _MAX_CURSOR_CHARS:
        raise unusable
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError, binascii.Error):
        raise unusable from None
    if not isinstance(values, list):
        raise unusable
    if mark:
        if values[:1] != [mark]:
            raise unusable
        del values[0]
    if len(values) != len(keys) or not all(map(_is_of, values, keys)):
        raise unusable
    return values


def _is_of(value: object, key: Key) -> bool:
    if isinstance(key.type, Integer):
        # Columns that lists are ordered by are never negative; what is computed of them may be.
        least = 0 if isinstance(key, Column) else -_MAX_INT64
        return type(value) is int and least <= value <= _MAX_INT64
    return isinstance(value, str) and is_storable(value)


def is_storable(text: str) -> bool:
    """Whether a database can be asked for a text at all: no NUL, no lone surrogates."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)

"""Selecting: rows by their keys, as the units of storage have them.

Not here: long lists (`engine.pages`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select

from budget.engine.pages import is_storable
from budget.storage.unit import Row

MAX_RELATED: Final = 1000
"""How many records and children an allocation is shown with: the newest; lists have them all."""


def one(connection: Connection, statement: Select[Any], key: Any, id: str) -> Row | None:
    """The row with an id."""
    if not is_storable(id):
        return None
    found = connection.execute(statement.where(key == id)).one_or_none()
    return None if found is None else tuple(found)


def newest(connection: Connection, statement: Select[Any], keys: Sequence[Any]) -> list[Row]:
    """The newest rows, oldest first."""
    latest = statement.order_by(*(key.desc() for key in keys)).limit(MAX_RELATED)
    return [tuple(row) for row in connection.execute(latest)][::-1]


def tuples(found: Iterable[RowMapping]) -> list[Row]:
    """Rows of a page as storage reads them."""
    return [tuple(row.values()) for row in found]

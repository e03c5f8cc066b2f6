"""The journal as its readers need it: how far it can be read so that nothing comes behind them.

Not here: what entries mean to readers (`reports`), and the proof that they add up (`audit`).
"""

from typing import Final

from sqlalchemy import ColumnElement, Connection, literal_column, select

from budget.domain import cursors
from budget.storage import schema

_XMIN: Final[ColumnElement[int]] = literal_column(
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
)


def settled_below(connection: Connection) -> int | None:
    """The entry id below which nothing can still appear; None when commits come in order of ids.

    PostgreSQL numbers transactions as they begin, and they commit in any order. Those below the
    snapshot's xmin are over. Earlier epochs, counted by another server, lie below every id of this.
    """
    if connection.dialect.name != "postgresql":
        return None
    epoch, oldest = connection.execute(select(schema.state.c.epoch, _XMIN)).one()
    return cursors.pack(epoch, oldest, 0)

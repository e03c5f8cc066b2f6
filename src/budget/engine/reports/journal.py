"""The journal, as readers see it.

Not here: who changed what (`audit_log`).
"""

from sqlalchemy import select

from budget.domain.answers import Event
from budget.engine.journal import settled_below
from budget.engine.pages import Page, check_limit
from budget.engine.reports.filters import where
from budget.engine.snapshots import snapshot
from budget.storage import cursors, schema
from budget.storage.database import Database


def events(
    database: Database, *, after: str | None = None, limit: int = 100, kind: str | None = None
) -> Page[Event]:
    """Entries of the journal after a cursor, in order; following `next_cursor` skips none, ever.

    `next_cursor` is None only when nothing has been read yet: begin again without one.
    """
    check_limit(limit)
    table = schema.entries
    wanted = where(select(table), {table.c.kind: kind}).order_by(table.c.id).limit(limit)
    if after is not None:
        wanted = wanted.where(table.c.id > cursors.decode(after))
    with snapshot(database) as connection:
        bound = settled_below(connection)
        if bound is not None:
            wanted = wanted.where(table.c.id < bound)
        found = [Event(*row) for row in connection.execute(wanted)]
    return Page(found, cursors.encode(found[-1].cursor) if found else after)

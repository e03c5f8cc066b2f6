"""Reading events: pages of the journal after a cursor, and what one may see of each.

Not here: following the journal as it grows (`feed`), who changed what (`audit_log`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, select

from budget.domain import cursors
from budget.domain.answers import Event
from budget.domain.answers_pages import Page
from budget.domain.events import Filter
from budget.domain.rights import Bound
from budget.engine.events.subjects import Subject, sees, sees_place, subjects_of
from budget.engine.journal import settled_below
from budget.engine.pages import check_limit
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.database import Database

LOOKED_AT = 2_000
"""How many entries one page looks at most, where only some of them are shown."""
BEGINNING = -1
_ALWAYS: Final = (None, None)


class Happened(NamedTuple):
    """An event; `subject` is whose and what it is about, None if nobody asked."""

    event: Event
    subject: Subject | None = None


def events(
    database: Database,
    *,
    after: str | None = None,
    limit: int = 100,
    wanted: Filter | None = None,
    allocation_id: str | None = None,
    since_us: int | None = None,
    until_us: int | None = None,
    bound: Bound | None = None,
) -> Page[Event]:
    """Entries of the journal after a cursor, in order; following `next_cursor` skips none, ever.

    They are those of [since_us, until_us), by when they were decided.

    A page may have fewer than `limit`, or none, though there is more, where few are wanted: the
    end is reached when `next_cursor` stays as it is. It is None only when nothing has been read
    yet: begin again without one.
    """
    check_limit(limit)
    at = BEGINNING if after is None else cursors.decode(after)
    closer = bool(bound) or (wanted is not None and wanted.looks_closer)
    statement = statement_of(at, LOOKED_AT if closer else limit, wanted, span=(since_us, until_us))
    if allocation_id is not None:
        statement = statement.where(schema.entries.c.allocation_id == allocation_id)
    with snapshot(database) as connection:
        found = _read(connection, statement, closer=closer)
    seen: list[Event] = []
    for happened in found:
        event = None
        if wanted is None or meets(wanted, happened):
            event = shown(happened, bound or {})
        if event is not None:
            seen.append(event)
        if event is not None or allocation_id is None:  # else it would tell that there is one
            at = happened.event.cursor
        if len(seen) == limit:
            break
    return Page(seen, after if at == BEGINNING else cursors.encode(at))


def events_between(
    database: Database, after: int, upto: int, limit: int, kinds: frozenset[str], *, closer: bool
) -> list[Happened]:
    """Events of these kinds after one cursor and up to another below which all is settled."""
    with snapshot(database) as connection:
        statement = statement_of(after, limit, Filter(kinds), span=_ALWAYS).where(
            schema.entries.c.id <= upto
        )
        return _read(connection, statement, closer=closer)


def events_after(database: Database, after: int, limit: int, *, closer: bool) -> list[Happened]:
    """All events after a cursor, as far as nothing can still come before them."""
    with snapshot(database) as connection:
        return _read(connection, statement_of(after, limit, None, span=_ALWAYS), closer=closer)


def newest(database: Database) -> int:
    """The cursor up to which everything is there; `BEGINNING` where nothing is."""
    wanted = select(func.max(schema.entries.c.id))
    with snapshot(database) as connection:
        below = settled_below(connection)
        if below is not None:
            wanted = wanted.where(schema.entries.c.id < below)
        top = connection.execute(wanted).scalar_one()
    return BEGINNING if top is None else int(top)


def statement_of(
    after: int, limit: int, wanted: Filter | None, *, span: tuple[int | None, int | None]
) -> Select[Any]:
    """What reads the entries after a cursor that may be wanted, of a span of time."""
    table = schema.entries
    statement = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    if wanted is not None and wanted.kinds == {"refused"}:
        statement = statement.where(schema.REFUSED)  # as text, so that its index is used
    elif wanted is not None:
        statement = statement.where(table.c.kind.in_(sorted(wanted.kinds)))
    since_us, until_us = span
    if since_us is not None:
        statement = statement.where(table.c.at_us >= since_us)
    if until_us is not None:
        statement = statement.where(table.c.at_us < until_us)
    return statement


def _read(connection: Connection, statement: Select[Any], *, closer: bool) -> list[Happened]:
    below = settled_below(connection)
    if below is not None:
        statement = statement.where(schema.entries.c.id < below)
    found = [Event(*row) for row in connection.execute(statement)]
    if not closer or not found:
        return [Happened(event) for event in found]
    return with_subjects(connection, found)


def with_subjects(connection: Connection, found: Sequence[Event]) -> list[Happened]:
    """Events with what they are about."""
    subjects = subjects_of(connection, found)
    return [Happened(event, subjects[event.cursor]) for event in found]


def meets(wanted: Filter, happened: Happened) -> bool:
    """Whether an event is one of those wanted."""
    event, subject = happened
    if event.kind not in wanted.kinds:
        return False
    if not wanted.looks_closer:
        return True
    assert subject is not None, "events are read with their subjects where filters look closer"
    if wanted.budget_id is not None and all(
        place.budget.budget_id != wanted.budget_id for place in subject.places
    ):
        return False
    return sees(dict(wanted.attributes), subject)


def shown(happened: Happened, bound: Bound) -> Event | None:
    """An event as who is bound to attributes may see it; None if they may not know of it.

    Of a call's balances those of others are left out.
    """
    event, subject = happened
    if not bound:
        return event
    assert subject is not None, "events are read with their subjects for who is bound"
    if not sees(bound, subject):
        return None
    legs = json.loads(event.legs)
    kept = [
        leg for leg, place in zip(legs, subject.places, strict=False) if sees_place(bound, place)
    ]
    if len(kept) == len(legs):
        return event._replace(detail=_without_scope(event.detail)) if event.budget_id else event
    return event._replace(legs=json.dumps(kept), detail=_without_figures(event.detail))


def _without_scope(detail: str) -> str:
    """What an entry tells of a budget, without its scope, which may name others."""
    told = json.loads(detail)
    for name in ("scope", "successors"):
        told.pop(name, None)
    changes = told.get("changes")
    if isinstance(changes, dict):
        for name in ("scope", "per"):
            changes.pop(name, None)
    return json.dumps(told)


def _without_figures(detail: str) -> str:
    """What an entry tells, without the balances of a refusal or a flag that others own."""
    told: Mapping[str, Any] = json.loads(detail)
    hidden = {"lines", "policy_id", "partition", "limit", "balances"}
    return json.dumps({name: value for name, value in told.items() if name not in hidden})

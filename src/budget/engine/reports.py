"""Reports: what the books say, read without the writer: budgets, allocations, usage, events.

Each function sees one consistent snapshot and pages by keys. Balances are brought to now for view
only, as a batch would bring them. Not here: the balances of now (`standing`), whether the books are
right (`verify`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, literal_column, select

from budget.domain.allocations import Holding
from budget.domain.answers import Alert, Allocation, Event, UsageRecord
from budget.domain.budgets import Budget, Policy, TopUp
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.windows import parse_rfc3339
from budget.engine import rows
from budget.engine.balances import Balances, read_balances, read_budgets, read_policies
from budget.engine.catalogue_rows import top_up_from_row
from budget.engine.journal import settled_below
from budget.engine.pages import Page, check_limit, is_storable, read_page
from budget.engine.snapshots import snapshot
from budget.engine.standing import status
from budget.storage import cursors, schema
from budget.storage.database import Database
from budget.storage.unit import ALLOCATION_COLUMNS, USAGE_COLUMNS, Row

__all__ = [
    "Page", "alerts", "allocation", "allocations", "budget", "budgets", "due", "events", "policy",
    "status", "top_ups", "usage_record", "usage_records",
]  # fmt: skip

STATUSES: Final = ("open", "settled", "released", "expired")
MAX_RELATED: Final = 1000
"""How many records and children an allocation is shown with: the newest; lists have them all."""
MAX_DUE: Final = 1000

_ALLOCATIONS: Final = select(*(schema.allocations.c[name] for name in ALLOCATION_COLUMNS))
_USAGE: Final = select(*(schema.usage.c[name] for name in USAGE_COLUMNS))


# --- Budgets and policies ------------------------------------------------------------------------


def budget(database: Database, budget_id: str) -> Budget:
    """One budget with its policies, archived ones included; NotFound."""
    with snapshot(database) as connection:
        found = _one(connection, select(schema.budgets), schema.budgets.c.budget_id, budget_id)
        if found is None:
            raise NotFound("budget", budget_id)
        return read_budgets(connection, [found])[0]


def budgets(
    database: Database,
    *,
    archived: bool = False,
    owner: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Budget]:
    """Budgets by id; archived ones only when asked for."""
    table = schema.budgets
    wanted = _where(select(table), {table.c.owner: owner})
    if not archived:
        wanted = wanted.where(table.c.archived_us.is_(None))
    with snapshot(database) as connection:
        found, after = read_page(
            connection, wanted, [table.c.budget_id], limit=limit, cursor=cursor, newest_first=False
        )
        return Page(read_budgets(connection, _tuples(found)), after)


def policy(database: Database, policy_id: str) -> Policy:
    """One policy; NotFound."""
    with snapshot(database) as connection:
        found = read_policies(connection, [policy_id] if is_storable(policy_id) else [])
        if not found:
            raise NotFound("policy", policy_id)
        return found[policy_id]


def top_ups(
    database: Database,
    *,
    policy_id: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[TopUp]:
    """Top-ups, newest first."""
    table = schema.top_ups
    wanted = _where(select(table), {table.c.policy_id: policy_id})
    with snapshot(database) as connection:
        found, after = read_page(
            connection, wanted, [table.c.at_us, table.c.top_up_id], limit=limit, cursor=cursor
        )
        return Page([top_up_from_row(row) for row in _tuples(found)], after)


def alerts(
    database: Database,
    *,
    policy_id: str | None = None,
    kind: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Alert]:
    """Alerts, newest first."""
    table = schema.alerts
    columns = [table.c[name] for name in Alert._fields[1:]]
    wanted = _where(select(table.c.id, *columns), {table.c.policy_id: policy_id, table.c.kind: kind})
    with snapshot(database) as connection:
        found, after = read_page(
            connection, wanted, [table.c.at_us, table.c.id], limit=limit, cursor=cursor
        )
        return Page([Alert(*row) for row in _tuples(found)], after)


# --- Allocations ---------------------------------------------------------------------------------


def allocation(database: Database, allocation_id: str) -> Allocation:
    """One allocation with its records and its children, oldest first (the last 1000 of each)."""
    now_us = database.now_us()
    table, used = schema.allocations, schema.usage
    with snapshot(database) as connection:
        found = _one(connection, _ALLOCATIONS, table.c.id, allocation_id)
        if found is None:
            raise NotFound("allocation", allocation_id)
        children = _newest(
            connection,
            _ALLOCATIONS.where(table.c.parent_id == allocation_id),
            [table.c.placed_us, table.c.id],
        )
        records = _newest(
            connection,
            _USAGE.where(used.c.allocation_id == allocation_id),
            [used.c.recorded_us, used.c.entry_id, used.c.id],
        )
        holding, *calls = [rows.holding_from_row(row) for row in (found, *children)]
        balances = _balances_of(connection, [holding, *calls], now_us)
        return _answer(holding, balances)._replace(
            records=tuple(map(rows.usage_from_row, records)),
            children=tuple(_answer(call, balances) for call in calls),
        )


def allocations(
    database: Database,
    *,
    status: str | None = None,
    parent_id: str | None = None,
    session: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Allocation]:
    """Allocations, newest first, without their records and children."""
    if status is not None and status not in STATUSES:
        raise InvalidInput("status", "is not a status of an allocation.", STATUSES)
    now_us = database.now_us()
    table = schema.allocations
    wanted = _where(
        _ALLOCATIONS,
        {table.c.status: status, table.c.parent_id: parent_id, table.c.session: session},
    )
    with snapshot(database) as connection:
        found, after = read_page(
            connection, wanted, [table.c.placed_us, table.c.id], limit=limit, cursor=cursor
        )
        holdings = [rows.holding_from_row(row) for row in _tuples(found)]
        balances = _balances_of(connection, holdings, now_us)
        return Page([_answer(holding, balances) for holding in holdings], after)


def due(database: Database, most: int = MAX_DUE) -> list[str]:
    """Ids of open allocations whose time is up, the longest overdue first."""
    now_us = database.now_us()
    table = schema.allocations
    overdue = (
        select(table.c.id)
        .where(table.c.status == literal_column("'open'"), table.c.expires_us <= now_us)
        .order_by(table.c.expires_us, table.c.id)
        .limit(most)
    )
    with snapshot(database) as connection:
        return list(connection.scalars(overdue))


def _balances_of(connection: Connection, holdings: Iterable[Holding], now_us: int) -> Balances:
    legs = [leg for holding in holdings for leg in holding.state.legs]
    return read_balances(connection, legs, now_us)


def _answer(holding: Holding, balances: Balances) -> Allocation:
    terms, state = holding.terms, holding.state
    return Allocation(
        allocation_id=terms.allocation_id,
        status=state.status,
        reserved=state.held,
        remaining=state.left,
        granted_output_tokens=state.granted_output_tokens,
        placed_us=terms.placed_us,
        expires_us=state.expires_us,
        basis=None if terms.rates is None else terms.rates.basis,
        legs=balances.views(state.legs),
        attributes=terms.attributes,
        provider=terms.provider,
        model=terms.model,
        priority=terms.priority,
        envelope=terms.envelope,
        parent_id=terms.parent_id,
        metadata=terms.metadata,
    )


# --- Usage ---------------------------------------------------------------------------------------


def usage_record(database: Database, usage_id: str) -> UsageRecord:
    """One usage record; NotFound."""
    with snapshot(database) as connection:
        found = _one(connection, _USAGE, schema.usage.c.id, usage_id)
        if found is None:
            raise NotFound("usage record", usage_id)
        return rows.usage_from_row(found)


def usage_records(
    database: Database,
    *,
    allocation_id: str | None = None,
    session: str | None = None,
    task: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[UsageRecord]:
    """Usage records of [since, until) by the time they occurred, newest first."""
    table = schema.usage
    wanted = _where(
        _USAGE,
        {table.c.allocation_id: allocation_id, table.c.session: session, table.c.task: task},
    )
    if since is not None:
        wanted = wanted.where(table.c.occurred_us >= parse_rfc3339(since, "since"))
    if until is not None:
        wanted = wanted.where(table.c.occurred_us < parse_rfc3339(until, "until"))
    with snapshot(database) as connection:
        found, after = read_page(
            connection, wanted, [table.c.occurred_us, table.c.id], limit=limit, cursor=cursor
        )
        return Page([rows.usage_from_row(row) for row in _tuples(found)], after)


# --- Events --------------------------------------------------------------------------------------


def events(
    database: Database, *, after: str | None = None, limit: int = 100, kind: str | None = None
) -> Page[Event]:
    """Entries of the journal after a cursor, in order; following `next_cursor` skips none, ever.

    `next_cursor` is None only when nothing has been read yet: begin again without one.
    """
    check_limit(limit)
    table = schema.entries
    wanted = _where(select(table), {table.c.kind: kind}).order_by(table.c.id).limit(limit)
    if after is not None:
        wanted = wanted.where(table.c.id > cursors.decode(after))
    with snapshot(database) as connection:
        bound = settled_below(connection)
        if bound is not None:
            wanted = wanted.where(table.c.id < bound)
        found = [Event(*row) for row in connection.execute(wanted)]
    return Page(found, cursors.encode(found[-1].cursor) if found else after)


# --- Rows ----------------------------------------------------------------------------------------


def _where(statement: Select[Any], equal: dict[Any, str | None]) -> Select[Any]:
    """The statement with each filter given; a text that no database can hold is InvalidInput."""
    for column, value in equal.items():
        if value is None:
            continue
        if not is_storable(value):
            raise InvalidInput(column.name, "must be a text without NUL or lone surrogates.")
        statement = statement.where(column == value)
    return statement


def _one(connection: Connection, statement: Select[Any], key: Any, id: str) -> Row | None:
    if not is_storable(id):
        return None
    found = connection.execute(statement.where(key == id)).one_or_none()
    return None if found is None else tuple(found)


def _newest(connection: Connection, statement: Select[Any], keys: Sequence[Any]) -> list[Row]:
    """The newest rows, oldest first."""
    latest = statement.order_by(*(key.desc() for key in keys)).limit(MAX_RELATED)
    return [tuple(row) for row in connection.execute(latest)][::-1]


def _tuples(found: Iterable[RowMapping]) -> list[Row]:
    return [tuple(row.values()) for row in found]

"""Allocations, one and all, as a caller may see them: its own calls, on the balances it may see.

Not here: the balances of now (`standing`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, literal_column, select

from budget.domain.allocations import Holding, Leg
from budget.domain.answers import Allocation
from budget.domain.answers_pages import Page
from budget.domain.errors import NotFound
from budget.domain.rights import UNBOUND, Bound, covers, sees_balance, sees_budget
from budget.engine import rows
from budget.engine.balances import Balances, chunks, read_balances
from budget.engine.pages import order_of, read_kept, read_ordered
from budget.engine.reports.budgets import budget_of
from budget.engine.reports.filters import Calls, calls, one_of, where, within
from budget.engine.reports.selecting import newest, one, tuples
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.attribute_columns import attribute
from budget.storage.database import Database
from budget.storage.unit import ALLOCATION_COLUMNS, USAGE_COLUMNS

STATUSES: Final = ("open", "settled", "released", "expired")
MAX_DUE: Final = 1000

_a, _u = schema.allocations.c, schema.usage.c
_ALLOCATIONS: Final = select(*(_a[name] for name in ALLOCATION_COLUMNS))
_USAGE: Final = select(*(_u[name] for name in USAGE_COLUMNS))
_ORDERS: Final[Mapping[str, Any]] = {
    "placed_at": [_a.placed_us, _a.id],
    "expires_at": [_a.expires_us, _a.id],
}


def allocation(database: Database, allocation_id: str, bound: Bound = UNBOUND) -> Allocation:
    """One allocation with its records and its children, oldest first (the last 1000 of each)."""
    now_us = database.now_us()
    with snapshot(database) as connection:
        found = one(connection, _ALLOCATIONS, _a.id, allocation_id)
        if found is None or not covers(bound, rows.holding_from_row(found).terms.attributes):
            raise NotFound("allocation", allocation_id)
        children = newest(
            connection, _ALLOCATIONS.where(_a.parent_id == allocation_id), [_a.placed_us, _a.id]
        )
        records = newest(
            connection,
            _USAGE.where(_u.allocation_id == allocation_id),
            [_u.recorded_us, _u.entry_id, _u.id],
        )
        holding, *held = [rows.holding_from_row(row) for row in (found, *children)]
        held = [call for call in held if covers(bound, call.terms.attributes)]
        balances = _balances_of(connection, [holding, *held], now_us)
        booked = map(rows.usage_from_row, records)
        return _answer(holding, balances, bound)._replace(
            records=tuple(record for record in booked if covers(bound, record.attributes)),
            children=tuple(_answer(call, balances, bound) for call in held),
        )


def allocation_of_context(
    database: Database, context_id: str, bound: Bound = UNBOUND
) -> Allocation:
    """The newest open allocation of a session, with its records and children; NotFound."""
    page = allocations(database, bound, status="open", attributes={"session": context_id}, limit=1)
    if not page.items:
        raise NotFound("open allocation of context", context_id)
    return allocation(database, page.items[0].allocation_id, bound)


def allocations(
    database: Database,
    bound: Bound = UNBOUND,
    *,
    status: str | None = None,
    is_active: bool | None = None,
    parent_id: str | None = None,
    actor: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    since: str | None = None,
    until: str | None = None,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    budget_id: str | None = None,
) -> Page[Allocation]:
    """Allocations placed in [since, until), newest first, without their records and children.

    With `budget_id`, those that hold on a balance of it: then, and with a model or provider among
    the attributes, a page may be short and yet have a cursor.
    """
    order = order_of(sort, _ORDERS, "-placed_at")
    asked = calls(attributes, bound)
    wanted = _with_status(_ALLOCATIONS, status, is_active)
    wanted = where(wanted, {_a.parent_id: parent_id, _a.actor: actor})
    wanted = within(wanted, _a.placed_us, since, until)
    dialect = database.engine.dialect.name
    wanted = wanted.where(asked.in_sql(lambda key: _value(key, dialect)))
    now_us = database.now_us()
    with snapshot(database) as connection:
        if budget_id is not None:
            budget_of(connection, budget_id, bound)

        def keep(some: list[RowMapping]) -> list[RowMapping]:
            return _kept(connection, some, asked, budget_id)

        if budget_id is None and asked.exact:
            found, after = read_ordered(connection, wanted, order, limit=limit, cursor=cursor)
        else:
            found, after = read_kept(connection, wanted, order, keep, limit=limit, cursor=cursor)
        holdings = [rows.holding_from_row(row) for row in tuples(found)]
        balances = _balances_of(connection, holdings, now_us)
        return Page([_answer(holding, balances, bound) for holding in holdings], after)


def budget_allocations(
    database: Database, budget_id: str, bound: Bound = UNBOUND, **asked: Any
) -> Page[Allocation]:
    """The allocations that hold on a balance of a budget, newest first; NotFound."""
    return allocations(database, bound, budget_id=budget_id, **asked)


def due(database: Database, most: int = MAX_DUE) -> list[str]:
    """Ids of open allocations whose time is up, the longest overdue first."""
    now_us = database.now_us()
    overdue = (
        select(_a.id)
        .where(_a.status == literal_column("'open'"), _a.expires_us <= now_us)
        .order_by(_a.expires_us, _a.id)
        .limit(most)
    )
    with snapshot(database) as connection:
        return list(connection.scalars(overdue))


def heads_of_budget(
    connection: Connection, budget_id: str, head_ids: Iterable[int]
) -> frozenset[int]:
    """Which of these heads are of balances of a budget."""
    found: set[int] = set()
    of = schema.heads.join(schema.policies, schema.policies.c.policy_id == schema.heads.c.policy_id)
    for some in chunks(head_ids):
        wanted = (
            select(schema.heads.c.id)
            .select_from(of)
            .where(schema.heads.c.id.in_(some), schema.policies.c.budget_id == budget_id)
        )
        found.update(connection.scalars(wanted))
    return frozenset(found)


def _kept(
    connection: Connection, some: list[RowMapping], asked: Calls, budget_id: str | None
) -> list[RowMapping]:
    some = [row for row in some if asked.has(rows.decode_attributes(row[_a.attributes]))]
    if budget_id is None:
        return some
    legs = [{leg.head_id for leg in rows.legs_from_json(row[_a.legs])} for row in some]
    own = heads_of_budget(connection, budget_id, set().union(*legs))
    return [row for row, heads in zip(some, legs, strict=True) if heads & own]


def _with_status(statement: Select[Any], status: str | None, is_active: bool | None) -> Select[Any]:
    statement = where(statement, {_a.status: one_of(status, "status", STATUSES)})
    if is_active is None:
        return statement
    return statement.where(_a.status == "open" if is_active else _a.status != "open")


def _value(key: str, dialect: str) -> Any:
    return _a.session if key == "session" else attribute(_a.attributes, key, dialect)


def _balances_of(connection: Connection, holdings: Iterable[Holding], now_us: int) -> Balances:
    legs = [leg for holding in holdings for leg in holding.state.legs]
    return read_balances(connection, legs, now_us)


def _answer(holding: Holding, balances: Balances, bound: Bound) -> Allocation:
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
        legs=balances.views([leg for leg in state.legs if _is_seen(leg, balances, bound)]),
        attributes=terms.attributes,
        provider=terms.provider,
        model=terms.model,
        priority=terms.priority,
        envelope=terms.envelope,
        parent_id=terms.parent_id,
        metadata=terms.metadata,
    )


def _is_seen(leg: Leg, balances: Balances, bound: Bound) -> bool:
    if not bound:
        return True
    balance = balances.by_head[leg.head_id]
    budget = balances.budgets[balance.policy.budget_id]
    return sees_budget(bound, budget) and sees_balance(
        bound, budget, balance.policy, balance.partition
    )

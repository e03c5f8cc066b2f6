"""Budgets, one and all, as a caller may see them.

Not here: how they stand (`standing`, `standings`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from budget.domain.answers_pages import Page
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import NotFound
from budget.domain.rights import UNBOUND, Bound, narrowed, sees_budget, sees_partition
from budget.engine.balances import read_budgets
from budget.engine.budget_rows import budget_from_row
from budget.engine.pages import order_of, read_ordered, read_seen
from budget.engine.reports.filters import in_force, storable, where
from budget.engine.reports.selecting import one, tuples
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.database import Database

_b = schema.budgets.c
_ORDERS: Final[Mapping[str, Any]] = {
    "budget_id": [_b.budget_id],
    "name": [_b.name, _b.budget_id],
    "owner": [_b.owner, _b.budget_id],
    "created_at": [_b.created_us, _b.budget_id],
    "updated_at": [_b.updated_us, _b.budget_id],
}


def budget(database: Database, budget_id: str, bound: Bound = UNBOUND) -> Budget:
    """One budget with its policies, archived ones included; NotFound."""
    with snapshot(database) as connection:
        return budget_of(connection, budget_id, bound)


def budget_of(connection: Connection, budget_id: str, bound: Bound) -> Budget:
    """One budget that the caller may see, or NotFound."""
    found = one(connection, select(schema.budgets), _b.budget_id, budget_id)
    if found is not None and sees_budget(bound, budget_from_row(found)):
        return seen(read_budgets(connection, [found])[0], bound)
    raise NotFound("budget", budget_id)


def budgets(
    database: Database,
    bound: Bound = UNBOUND,
    *,
    archived: bool = False,
    is_active: bool | None = None,
    owner: str | None = None,
    name: str | None = None,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Budget]:
    """Budgets by id; archived ones only when asked for. `name`: what the name contains."""
    order = order_of(sort, _ORDERS, "budget_id")
    wanted = where(select(schema.budgets), {_b.owner: owner})
    wanted = in_force(wanted, _b.archived_us, archived, is_active)
    if name is not None:
        wanted = wanted.where(_b.name.icontains(storable(name, "name"), autoescape=True))

    def keep(some: list[RowMapping]) -> list[RowMapping]:
        return [row for row in some if sees_budget(bound, budget_from_row(tuple(row.values())))]

    with snapshot(database) as connection:
        if bound:
            found, after = read_seen(connection, wanted, order, keep, limit=limit, cursor=cursor)
        else:
            found, after = read_ordered(connection, wanted, order, limit=limit, cursor=cursor)
        return Page([seen(b, bound) for b in read_budgets(connection, tuples(found))], after)


def seen(budget: Budget, bound: Bound) -> Budget:
    """The budget as the caller may see it."""
    if not bound:
        return budget
    return replace(
        budget,
        scope=narrowed(budget.scope, bound),
        policies=tuple(
            seen_policy(p, budget, bound) for p in budget.policies if p.archived_us is None
        ),
    )


def seen_policy(policy: Policy, budget: Budget, bound: Bound) -> Policy:
    """A policy without the top-ups of partitions that the caller may not see, and without what was
    before it.
    """
    if not bound:
        return policy
    shown = tuple(
        top_up
        for top_up in policy.top_ups
        if top_up.partition is None or sees_partition(bound, budget, top_up.partition)
    )
    return replace(policy, top_ups=shown, succeeds=None)

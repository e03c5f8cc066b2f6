"""Limits of contexts: the balances per session that the calls of some sessions meet.

Not here: balances of other periods, which many sessions share (`engine.standing`).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, select, tuple_

from budget.analytics.contexts import Level
from budget.domain.attributes import Attributes, partition_of, scope_matches
from budget.domain.balances import Balance
from budget.domain.budgets import Budget, Policy
from budget.domain.rights import Bound, sees_budget, sees_partition
from budget.engine import rows
from budget.engine.balances import chunks, read_budgets
from budget.engine.views import view
from budget.storage import schema
from budget.storage.unit import HEAD_COLUMNS, Row

PER_SESSION: Final = "per_session"
_h = schema.heads.c


class ContextLimit(NamedTuple):
    """A limit that a context has to itself, and how much of it is used or held."""

    policy_id: str
    budget: str
    level: Level


def limits_of(
    connection: Connection, contexts: Mapping[str, Attributes], bound: Bound, now_us: int
) -> dict[str, list[ContextLimit]]:
    """By session, the limits per session that a call like its newest one meets."""
    seen = [
        (budget, policy)
        for budget in _budgets(connection)
        if sees_budget(bound, budget)
        for policy in budget.live_policies
        if policy.calendar.period.text == PER_SESSION
    ]
    met: dict[str, list[tuple[Budget, Policy, str]]] = {}
    for session, attributes in contexts.items():
        met[session] = [
            (budget, policy, partition)
            for budget, policy in seen
            if scope_matches(budget.scope, attributes)
            for partition in (partition_of(policy.partition_by, attributes),)
            if sees_partition(bound, budget, partition)
        ]
    heads = _heads(connection, {(p.policy_id, at) for some in met.values() for _, p, at in some})
    return {
        session: [_limit(budget, policy, at, heads, now_us) for budget, policy, at in some]
        for session, some in met.items()
    }


def _budgets(connection: Connection) -> list[Budget]:
    """The budgets in force that limit sessions, by name."""
    table, of = schema.budgets, schema.policies.c
    limiting = select(of.budget_id).where(of.period == PER_SESSION, of.archived_us.is_(None))
    live = select(table).where(table.c.archived_us.is_(None), table.c.budget_id.in_(limiting))
    found = connection.execute(live.order_by(table.c.name, table.c.budget_id))
    return read_budgets(connection, [tuple(row) for row in found])


def _heads(connection: Connection, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    found = {}
    columns = [_h[name] for name in HEAD_COLUMNS]
    for some in chunks(sorted(wanted)):
        keys = tuple_(_h.policy_id, _h.partition).in_(some)
        for row in connection.execute(select(*columns).where(keys)):
            found[row.policy_id, row.partition] = tuple(row)
    return found


def _limit(
    budget: Budget,
    policy: Policy,
    partition: str,
    heads: Mapping[tuple[str, str], Row],
    now_us: int,
) -> ContextLimit:
    row = heads.get((policy.policy_id, partition))
    balance = Balance(0, policy, partition) if row is None else rows.balance_from_row(row, policy)
    balance.open(now_us)
    shown = view(balance, {budget.budget_id: budget})
    used = shown.spent + shown.reserved + shown.assumed
    return ContextLimit(policy.policy_id, budget.name, Level(policy.unit, shown.limit, used))

"""Policies with their top-ups and balances, one and all, as a caller may see them.

Not here: how they stand as a whole (`standings`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, and_, case, not_, select

from budget.domain.answers import BalanceView
from budget.domain.answers_pages import Page
from budget.domain.attributes import compared
from budget.domain.budgets import Budget, Policy, TopUp
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.policy_terms import parse_enforcement, parse_unit
from budget.domain.rights import UNBOUND, Bound, sees_budget, sees_partition
from budget.domain.windows import parse_period
from budget.engine import rows
from budget.engine.balances import budgets_named, read_policies
from budget.engine.budget_rows import top_up_from_row
from budget.engine.pages import Order, is_storable, order_of, read_ordered, read_seen
from budget.engine.reports.budgets import budget_of, seen_policy
from budget.engine.reports.filters import where
from budget.engine.reports.selecting import tuples
from budget.engine.snapshots import snapshot
from budget.engine.views import view
from budget.storage import schema
from budget.storage.attribute_columns import has_attributes
from budget.storage.database import Database
from budget.storage.unit import HEAD_COLUMNS

_p, _t, _h = schema.policies.c, schema.top_ups.c, schema.heads.c
_ORDERS: Final[Mapping[str, Any]] = {
    "policy_id": [_p.policy_id],
    "created_at": [_p.created_us, _p.policy_id],
}
_TOP_UP_ORDERS: Final[Mapping[str, Any]] = {"at": [_t.at_us, _t.top_up_id]}
_HEADS: Final = select(*(schema.heads.c[name] for name in HEAD_COLUMNS))


def policy(database: Database, policy_id: str, bound: Bound = UNBOUND) -> Policy:
    """One policy; NotFound."""
    with snapshot(database) as connection:
        return policy_of(connection, policy_id, bound)[0]


def policy_of(connection: Connection, policy_id: str, bound: Bound) -> tuple[Policy, Budget]:
    """One policy that the caller may see, and its budget (without policies); or NotFound."""
    found = read_policies(connection, [policy_id] if is_storable(policy_id) else [])
    if found:
        policy = found[policy_id]
        budget = budgets_named(connection, [policy.budget_id])[policy.budget_id]
        if sees_budget(bound, budget) and not (bound and policy.archived_us):
            return seen_policy(policy, budget, bound), budget
    raise NotFound("policy", policy_id)


def policies(
    database: Database,
    bound: Bound = UNBOUND,
    *,
    budget_id: str | None = None,
    unit: str | None = None,
    period: str | None = None,
    enforcement: str | None = None,
    archived: bool = False,
    enabled: bool | None = None,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Policy]:
    """Policies by id; those that are archived, or of an archived budget, only when asked for.

    `enabled`: those in force alone, or the others alone.
    """
    order = order_of(sort, _ORDERS, "policy_id")
    equal = {
        _p.budget_id: budget_id,
        _p.unit: None if unit is None else parse_unit(unit, "unit"),
        _p.period: None if period is None else parse_period(period).text,
        _p.enforcement: None
        if enforcement is None
        else parse_enforcement(enforcement, "enforcement"),
    }
    wanted = where(select(schema.policies), equal)
    wanted = _in_force(wanted, archived, enabled)
    with snapshot(database) as connection:
        return _policy_page(connection, wanted, order, bound, limit, cursor)


def _in_force(statement: Select[Any], archived: bool, enabled: bool | None) -> Select[Any]:
    gone = select(schema.budgets.c.budget_id).where(schema.budgets.c.archived_us.is_not(None))
    wanted = and_(_p.archived_us.is_(None), _p.budget_id.not_in(gone))
    if enabled is not None:
        return statement.where(wanted if enabled else not_(wanted))
    return statement if archived else statement.where(wanted)


def budget_policies(
    database: Database, budget_id: str, bound: Bound = UNBOUND, **asked: Any
) -> Page[Policy]:
    """The policies of one budget; NotFound."""
    with snapshot(database) as connection:
        budget_of(connection, budget_id, bound)
    return policies(database, bound, budget_id=budget_id, **asked)


def _policy_page(
    connection: Connection,
    wanted: Select[Any],
    order: Order,
    bound: Bound,
    limit: int,
    cursor: str | None,
) -> Page[Policy]:
    budgets: dict[str, Budget] = {}

    def keep(some: list[RowMapping]) -> list[RowMapping]:
        budgets.update(budgets_named(connection, {row[_p.budget_id] for row in some}))
        return [
            row
            for row in some
            if row[_p.archived_us] is None and sees_budget(bound, budgets[row[_p.budget_id]])
        ]

    if bound:
        found, after = read_seen(connection, wanted, order, keep, limit=limit, cursor=cursor)
    else:
        found, after = read_ordered(connection, wanted, order, limit=limit, cursor=cursor)
    ids = [row[_p.policy_id] for row in found]
    read = read_policies(connection, ids)
    shown = [read[id] for id in ids]
    if bound:
        shown = [seen_policy(one, budgets[one.budget_id], bound) for one in shown]
    return Page(shown, after)


def top_ups(
    database: Database,
    bound: Bound = UNBOUND,
    *,
    policy_id: str | None = None,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[TopUp]:
    """Top-ups, newest first; of one policy that a caller may not see, NotFound."""
    order = order_of(sort, _TOP_UP_ORDERS, "-at")
    wanted = where(select(schema.top_ups), {_t.policy_id: policy_id})
    with snapshot(database) as connection:

        def keep(some: list[RowMapping]) -> list[RowMapping]:
            of = _budgets_by_policy(connection, [row[_t.policy_id] for row in some])
            return [
                row
                for row in some
                if row[_t.policy_id] in of
                and sees_budget(bound, of[row[_t.policy_id]])
                and (
                    row[_t.partition] is None
                    or sees_partition(bound, of[row[_t.policy_id]], row[_t.partition])
                )
            ]

        if bound:
            found, after = read_seen(connection, wanted, order, keep, limit=limit, cursor=cursor)
        else:
            found, after = read_ordered(connection, wanted, order, limit=limit, cursor=cursor)
        return Page([top_up_from_row(row) for row in tuples(found)], after)


def policy_top_ups(
    database: Database, policy_id: str, bound: Bound = UNBOUND, **asked: Any
) -> tuple[Page[TopUp], str]:
    """The top-ups of one policy, newest first, and its unit; NotFound."""
    with snapshot(database) as connection:
        unit = policy_of(connection, policy_id, bound)[0].unit
    return top_ups(database, bound, policy_id=policy_id, **asked), unit


def _budgets_by_policy(connection: Connection, policy_ids: Sequence[str]) -> dict[str, Budget]:
    """The budgets of those policies that are in force."""
    read = read_policies(connection, set(policy_ids))
    live = {policy_id: one for policy_id, one in read.items() if one.archived_us is None}
    budgets = budgets_named(connection, {policy.budget_id for policy in live.values()})
    return {policy_id: budgets[policy.budget_id] for policy_id, policy in live.items()}


# --- Balances ------------------------------------------------------------------------------------


def policy_balances(
    database: Database,
    policy_id: str,
    bound: Bound = UNBOUND,
    *,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[BalanceView]:
    """The balances of a policy that calls have met, as they stand now, by partition; NotFound.

    `sort=-spent`: those on which most is spent first; of a rolling policy only by partition.
    """
    now_us = database.now_us()
    spent = case((_h.end_us > now_us, _h.spent), else_=0).label("spent_now")
    orders: dict[str, Any] = {"partition": [_h.partition], "spent": [spent, _h.partition]}
    order = order_of(sort, orders, "partition")
    with snapshot(database) as connection:
        policy, budget = policy_of(connection, policy_id, bound)
        if policy.rolling and order.keys[0] is spent:
            raise InvalidInput("sort", "is by partition on a rolling policy.", ("partition",))
        wanted = _HEADS.add_columns(spent).where(_h.policy_id == policy_id)

        split = {
            key: compared(key, value) for key, value in bound.items() if key in policy.partition_by
        }
        if split:  # what the scope pins besides is the caller's, else it had not been found
            wanted = wanted.where(has_attributes(_h.partition, split, connection.dialect.name))
        found, after = read_ordered(connection, wanted, order, limit=limit, cursor=cursor)
    shown = []
    for row in tuples(found):
        balance = rows.balance_from_row(row[:-1], policy)
        balance.open(now_us)
        shown.append(view(balance, {budget.budget_id: budget}))
    return Page(shown, after)

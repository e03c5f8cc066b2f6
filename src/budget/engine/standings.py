"""Standings: how policies stand, each as a whole: all its balances of now, and what was used.

Not here: the balances one by one (`reports.policies`, `standing`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, literal_column, select

from budget.domain.answers import BalanceView
from budget.domain.answers_pages import Page
from budget.domain.answers_usage import Figures, Standing
from budget.domain.attributes import partition_of
from budget.domain.balances import Balance
from budget.domain.budgets import BPS, Budget, Policy
from budget.domain.rights import UNBOUND, Bound, covers, sees_balance
from budget.domain.windows import ALWAYS, Window
from budget.engine import rows
from budget.engine.balances import budgets_named, heads_of
from budget.engine.reports.budgets import budget_of
from budget.engine.reports.filters import Calls
from budget.engine.reports.policies import policies
from budget.engine.snapshots import snapshot
from budget.engine.summing import Sums
from budget.engine.views import view
from budget.storage import schema
from budget.storage.database import Database

_a = schema.allocations.c
_OPEN: Final = select(_a.attributes, _a.legs).where(_a.status == literal_column("'open'"))


def standings(
    database: Database,
    bound: Bound = UNBOUND,
    *,
    budget_id: str | None = None,
    period: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Standing]:
    """How the policies in force stand, by id: all, or those of one budget (NotFound), or period.

    Costs as much as there are balances of these policies that are in use, and open allocations.
    """
    now_us = database.now_us()
    if budget_id is not None:
        with snapshot(database) as connection:
            budget_of(connection, budget_id, bound)
    page = policies(database, bound, budget_id=budget_id, period=period, limit=limit, cursor=cursor)
    with snapshot(database) as connection:
        budgets = budgets_named(connection, {policy.budget_id for policy in page.items})
        shown = page.items
        balances = _balances(connection, shown, budgets, bound, now_us)
        heads = {one.id: one.policy.policy_id for some in balances.values() for one in some}
        holding = _open_allocations(connection, heads, bound)
        used: dict[tuple[str, Window], Figures] = {}
        found = []
        for policy in shown:
            budget = budgets[policy.budget_id]
            window = _window(policy, now_us)
            of = (budget.budget_id, window)
            if of not in used:
                used[of] = Sums(connection, Calls(budget.scope, bound)).total(window)
            found.append(
                _standing(
                    policy, budget, window, balances[policy.policy_id],
                    holding[policy.policy_id], used[of],
                )
            )  # fmt: skip
    return Page(found, page.next_cursor)


def _balances(
    connection: Connection,
    policies: Iterable[Policy],
    budgets: Mapping[str, Budget],
    bound: Bound,
    now_us: int,
) -> dict[str, list[Balance]]:
    """The balances of policies as they are now, by policy; one that cannot be split is there
    before any call has met it.
    """
    of = {policy.policy_id: policy for policy in policies}
    found: dict[str, list[Balance]] = {policy_id: [] for policy_id in of}
    for row in heads_of(connection, of):
        policy = of[row[1]]
        if sees_balance(bound, budgets[policy.budget_id], policy, row[2]):
            balance = rows.balance_from_row(row, policy)
            balance.open(now_us)
            found[policy.policy_id].append(balance)
    for policy_id, policy in of.items():
        if not found[policy_id] and not policy.partition_by:
            balance = Balance(0, policy, "{}")
            balance.open(now_us)
            found[policy_id].append(balance)
    return found


def _open_allocations(
    connection: Connection, heads: Mapping[int, str], bound: Bound
) -> Counter[str]:
    """How many open allocations hold on each policy."""
    counted: Counter[str] = Counter()
    for attributes, legs in connection.execute(_OPEN):
        if covers(bound, rows.decode_attributes(attributes)):
            counted.update({heads.get(leg.head_id, "") for leg in rows.legs_from_json(legs)})
    return counted


def _window(policy: Policy, now_us: int) -> Window:
    if policy.calendar.period.kind in ("per_session", "per_task"):
        return ALWAYS
    balance = Balance(0, policy, partition_of(policy.partition_by, {}))
    balance.open(now_us)
    return balance.window


def _standing(
    policy: Policy,
    budget: Budget,
    window: Window,
    balances: list[Balance],
    open_allocations: int,
    usage: Figures,
) -> Standing:
    fullest = max(balances, key=_fullness, default=None)
    shown: BalanceView | None = None
    if fullest is not None:
        shown = view(fullest, {budget.budget_id: budget})
    one: Any = fullest if not policy.partition_by else None
    return Standing(
        policy.terms, budget.name, policy.calendar.zone, policy.partition_by, window,
        len(balances), policy.limit if one is None else one.limit,
        sum(balance.spent for balance in balances),
        sum(balance.reserved for balance in balances),
        sum(balance.assumed for balance in balances),
        sum(balance.overrun for balance in balances),
        shown, open_allocations, usage.input_tokens + usage.output_tokens, usage.cost_nanos,
        usage.requests,
    )  # fmt: skip


def _fullness(balance: Balance) -> int:
    used = balance.spent + balance.assumed
    return used * BPS * BPS // balance.limit if balance.limit else used

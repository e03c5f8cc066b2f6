"""Standing: every balance of the current windows, as `budget status` shows them.

Nothing here needs the schema, which takes a while to import: what is read comes from a `Source`.
Not here: the sources (`standing_sources`), and the balances that one allocation holds on
(`reports`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from budget.domain.answers import BalanceView
from budget.domain.attributes import compared, partition_of, scope_matches
from budget.domain.balances import Balance
from budget.domain.budgets import Budget, Policy
from budget.domain.rights import UNBOUND, Bound, forced, sees_budget, sees_partition
from budget.engine import rows
from budget.engine.fields import who
from budget.engine.views import view
from budget.prices.book import PriceBook
from budget.storage.unit import Row


class Source(Protocol):
    """The books at one moment."""

    def budgets(self) -> list[Budget]:
        """Those in force, with their policies, by name."""

    def heads(self, policy_ids: Iterable[str]) -> Iterator[Row]:
        """The HEAD_COLUMNS rows of policies: one for each partition that has had a call."""


class Shown(NamedTuple):
    """A policy to show: the budget it is of, and its place in the order."""

    place: int
    budget: Budget
    policy: Policy


def standing(
    source: Source,
    now_us: int,
    attributes: Mapping[str, str],
    prices: PriceBook | None = None,
    bound: Bound = UNBOUND,
) -> list[BalanceView]:
    """Every balance of the current windows that calls with these attributes meet; with none, all.

    The attributes are read as those of a call are, so a model says its tier and, with `prices`,
    its provider, unless one is named.
    A window that has passed shows as the fresh one that the next call would open. A balance that no
    call has met yet shows if there is only one it can be: its policy has no partitions, or the
    attributes name all of its own. Whoever is bound to attributes asks for calls with these, and
    sees the balances that it may; Forbidden for others' attributes.
    By budget name, then policy (oldest first), then partition.
    """
    if attributes and bound:  # the calls that it asks about have these too
        attributes = forced(attributes, bound)
    asked, _, _ = who({"attributes": attributes}, prices, now_us)
    shown = {s.policy.policy_id: s for s in _policies(source, asked, bound)}
    balances = []
    unmet = {
        (policy_id, partition_of(s.policy.partition_by, asked))
        for policy_id, s in shown.items()
        if asked.keys() >= set(s.policy.partition_by)
    }
    for row in source.heads(shown):
        _, policy_id, partition, *_ = row
        policy, budget = shown[policy_id].policy, shown[policy_id].budget
        if _is_asked(policy, partition, asked) and sees_partition(bound, budget, partition):
            unmet.discard((policy_id, partition))
            balances.append(rows.balance_from_row(row, policy))
    for policy_id, partition in unmet:
        if sees_partition(bound, shown[policy_id].budget, partition):
            balances.append(Balance(0, shown[policy_id].policy, partition))
    for balance in balances:
        balance.open(now_us)
    balances.sort(key=lambda b: (shown[b.policy.policy_id].place, b.partition))
    budgets = {s.budget.budget_id: s.budget for s in shown.values()}
    return [view(balance, budgets) for balance in balances]


def _policies(source: Source, asked: Mapping[str, str], bound: Bound) -> Iterator[Shown]:
    """The live policies of the budgets that calls with these attributes meet; with none, of all
    that may be seen.
    """
    met = [
        budget
        for budget in source.budgets()
        if sees_budget(bound, budget) and (not asked or scope_matches(budget.scope, asked))
    ]
    live = [(budget, policy) for budget in met for policy in budget.live_policies]
    for place, (budget, policy) in enumerate(live):
        yield Shown(place, budget, policy)


def _is_asked(policy: Policy, partition: str, asked: Mapping[str, str]) -> bool:
    """Whether a partition may be that of a call with these attributes."""
    if not asked or not policy.partition_by:
        return True
    of = json.loads(partition)
    named = {key: compared(key, asked[key]) for key in policy.partition_by if key in asked}
    return all(of[key] == value for key, value in named.items())

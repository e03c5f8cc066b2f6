"""The catalogue, compiled: which policies a call meets, found without looking at every budget.

Each budget is filed under its rarest exact (key, value) pair; prefixes under (key, length); scopes
without either stand in one short list. Not here: how the catalogue is changed (`engine.budgets`) or
stored.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from copy import copy
from typing import Final, NamedTuple

from budget.domain.attributes import (
    Attributes,
    Condition,
    Scope,
    partition_of,
    scope_matches,
)
from budget.domain.budgets import Budget, Policy
from budget.domain.pricing import Rates

MAX_REMEMBERED: Final = 4096
"""Attribute sets whose match is remembered; the memory is emptied when full."""


class Match(NamedTuple):
    """What a call meets: (policy, partition) pairs, and what to do when its price is unknown.

    `unpriced` is the strictest of the matching budgets' rules; None when none matches.
    """

    policies: tuple[tuple[Policy, str], ...]
    pairs: dict[tuple[str, str], None]
    """The (policy_id, partition) of each, in the same order."""
    budgets: tuple[Budget, ...]
    unpriced: str | Rates | None


class Catalogue:
    """All budgets and policies as of one version, compiled for matching. Immutable in effect."""

    def __init__(self, version: int, budgets: Iterable[Budget]) -> None:
        self.version = version
        self.budgets = {budget.budget_id: budget for budget in budgets}
        self.policies = {
            policy.policy_id: policy
            for budget in self.budgets.values()
            for policy in budget.policies
        }
        self._exact: dict[tuple[str, str], tuple[Budget, ...]] = {}
        self._prefix: dict[tuple[str, str], tuple[Budget, ...]] = {}
        self._prefix_lengths: dict[str, tuple[int, ...]] = {}
        self._anywhere: tuple[Budget, ...] = ()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._remembered: dict[tuple[tuple[str, str], ...], Match] = {}
        live = [budget for budget in self.budgets.values() if budget.live_policies]
        for budget in live:
            self._seen.update(_exact_pairs(budget))
        self._file(live)

    def with_budget(self, budget: Budget) -> "Catalogue":
        """The next version, in which this budget is new or stands for its former self.

        Costs a few copies of the index, not a new one. Where a budget is filed may then be less
        than the best place, which costs time, never a match.
        """
        other = copy(self)
        other.version = self.version + 1
        other.budgets = {**self.budgets, budget.budget_id: budget}
        own = {policy.policy_id: policy for policy in budget.policies}
        other.policies = {**self.policies, **own}
        other._exact = dict(self._exact)
        other._prefix = dict(self._prefix)
        other._prefix_lengths = dict(self._prefix_lengths)
        other._seen = self._seen.copy()
        other._remembered = {}
        before = self.budgets.get(budget.budget_id)
        if before is not None and before.live_policies:
            other._unfile(before)
        if budget.live_policies:
            other._seen.update(_exact_pairs(budget))
            other._file([budget])
        return other

    def _file(self, budgets: Iterable[Budget]) -> None:
        """File budgets, whose pairs were counted before, each under one of its conditions."""
        exact: dict[tuple[str, str], list[Budget]] = defaultdict(list)
        prefix: dict[tuple[str, str], list[Budget]] = defaultdict(list)
        anywhere: list[Budget] = []
        for budget in budgets:
            condition = self._rarest(budget.scope)
            if condition is None:
                anywhere.append(budget)
                continue
            for value in condition.exact:
                exact[condition.key, value].append(budget)
            for start in condition.prefixes:
                prefix[condition.key, start].append(budget)
        for place, filed in exact.items():
            self._exact[place] = (*self._exact.get(place, ()), *filed)
        for place, filed in prefix.items():
            self._prefix[place] = (*self._prefix.get(place, ()), *filed)
            key, start = place
            lengths = self._prefix_lengths.get(key, ())
            if len(start) not in lengths:
                self._prefix_lengths[key] = (*lengths, len(start))
        self._anywhere = (*self._anywhere, *anywhere)

    def _rarest(self, scope: Scope) -> Condition | None:
        """The condition that the fewest budgets share: an exact one, else the longest prefixes."""
        exact = [condition for condition in scope if condition.exact and not condition.prefixes]
        if exact:
            return min(exact, key=lambda c: max(self._seen[c.key, value] for value in c.exact))
        return max(scope, key=lambda c: min(map(len, c.prefixes)), default=None)

    def _unfile(self, budget: Budget) -> None:
        """Take a budget out of every place where it may be filed."""
        self._seen.subtract(_exact_pairs(budget))
        self._seen = +self._seen
        for pair in _exact_pairs(budget):
            _take_out(self._exact, pair, budget)
        for condition in budget.scope:
            for start in condition.prefixes:
                _take_out(self._prefix, (condition.key, start), budget)
        self._anywhere = tuple(b for b in self._anywhere if b.budget_id != budget.budget_id)

    def match(self, attributes: Attributes) -> Match:
        """The policies in force for a call with these attributes, in a fixed order."""
        asked = tuple(attributes.items())
        match = self._remembered.get(asked)
        if match is None:
            match = self._match(attributes)
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[asked] = match
        return match

    def _match(self, attributes: Attributes) -> Match:
        candidates = list(self._anywhere)
        for key, value in attributes.items():
            candidates.extend(self._exact.get((key, value), ()))
            for length in self._prefix_lengths.get(key, ()):
                candidates.extend(self._prefix.get((key, value[:length]), ()))
        found = {
            budget.budget_id: budget
            for budget in candidates
            if scope_matches(budget.scope, attributes)
        }
        budgets = tuple(found[budget_id] for budget_id in sorted(found))
        policies = tuple(
            (policy, partition_of(policy.partition_by, attributes))
            for budget in budgets
            for policy in budget.live_policies
        )
        pairs = dict.fromkeys((policy.policy_id, partition) for policy, partition in policies)
        return Match(policies, pairs, budgets, _strictest(budgets))


def _exact_pairs(budget: Budget) -> list[tuple[str, str]]:
    return [(condition.key, value) for condition in budget.scope for value in condition.exact]


def _take_out(
    filed: dict[tuple[str, str], tuple[Budget, ...]], place: tuple[str, str], budget: Budget
) -> None:
    left = tuple(b for b in filed.get(place, ()) if b.budget_id != budget.budget_id)
    if left:
        filed[place] = left
    else:
        filed.pop(place, None)


def _strictest(budgets: tuple[Budget, ...]) -> str | Rates | None:
    """The strictest rule for an unknown price: refuse, then stand-in rates, then allow."""
    strictest: str | Rates | None = None
    for budget in budgets:
        rule = budget.unpriced_rule
        if rule == "refuse":
            return "refuse"
        if isinstance(rule, Rates):
            if isinstance(strictest, Rates):
                rule = rule._replace(
                    input=max(rule.input, strictest.input, key=_flat),
                    output=max(rule.output, strictest.output, key=_flat),
                )
            strictest = rule
        elif strictest is None:
            strictest = "allow"
    return strictest


def _flat(rate: object) -> int:
    assert isinstance(rate, int), "stand-in rates have no tiers"
    return rate

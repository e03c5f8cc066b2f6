"""The catalogue, compiled: which policies a call meets, found without looking at every budget.

Each budget is filed under its rarest exact (key, value) pair; prefixes under (key, length); scopes
without either stand in one short list. Not here: how the catalogue is changed (`engine.budgets`) or
stored.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from budget.domain.attributes import (
    Attributes,
    Condition,
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
        self._exact: dict[tuple[str, str], list[Budget]] = defaultdict(list)
        self._prefix: dict[str, dict[int, dict[str, list[Budget]]]] = defaultdict(dict)
        self._anywhere: list[Budget] = []
        self._remembered: dict[tuple[tuple[str, str], ...], Match] = {}
        live = [budget for budget in self.budgets.values() if budget.live_policies]
        self._file(live)

    def _file(self, budgets: list[Budget]) -> None:
        seen = Counter(
            (condition.key, value)
            for budget in budgets
            for condition in budget.scope
            for value in condition.exact
        )

        def crowd(condition: Condition) -> int:
            return max(seen[condition.key, value] for value in condition.exact)

        for budget in budgets:
            exact = [c for c in budget.scope if c.exact and not c.prefixes]
            if exact:
                chosen = min(exact, key=crowd)
            elif budget.scope:
                chosen = max(budget.scope, key=lambda c: min(map(len, c.prefixes), default=0))
            else:
                self._anywhere.append(budget)
                continue
            for value in chosen.exact:
                self._exact[chosen.key, value].append(budget)
            for prefix in chosen.prefixes:
                by_prefix = self._prefix[chosen.key].setdefault(len(prefix), {})
                by_prefix.setdefault(prefix, []).append(budget)

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
            for length, by_prefix in self._prefix.get(key, {}).items():
                candidates.extend(by_prefix.get(value[:length], ()))
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
        return Match(policies, budgets, _strictest(budgets))


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

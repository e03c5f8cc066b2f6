"""The catalogue, compiled: which policies a call meets, found without looking at every budget.

Each budget is filed under the condition of its scope that it shares with the fewest others: under
each (key, value) of it, prefixes under (key, prefix). A call looks up each of its attributes, whole
and cut to the lengths that prefixes have, and tests the few budgets found. Scopes without a
condition stand in one short list. Not here: how the catalogue is changed (`budgets`, `policies`) or
stored (`catalogue_rows`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any, Final, NamedTuple

from budget.domain.attributes import (
    Attributes,
    Condition,
    partition_of,
    scope_matches,
    spellings,
)
from budget.domain.budgets import Budget, Policy
from budget.domain.pricing import Rates

Place = tuple[str, str]
"""An attribute's key and a value as scopes compare it: exact, or a prefix with its star."""

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
    laddered: frozenset[str] = frozenset()
    """The ids of the budgets that have a ladder."""
    hard: frozenset[tuple[str, str]] = frozenset()
    """Those of the pairs whose policy is a hard limit."""


class Catalogue:
    """All budgets and policies as of one version, compiled for matching. Immutable in effect.

    `price_version` is that of the price book at the same moment, `settings` are what was set then
    (`live_settings`).
    """

    def __init__(
        self,
        version: int,
        budgets: Iterable[Budget],
        price_version: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.version = version
        self.price_version = price_version
        self.settings: Mapping[str, Any] = settings or {}
        self.budgets = {budget.budget_id: budget for budget in budgets}
        self.policies = {
            policy.policy_id: policy
            for budget in self.budgets.values()
            for policy in budget.policies
        }
        self._filed: dict[Place, tuple[Budget, ...]] = {}
        self._prefix_lengths: dict[str, tuple[int, ...]] = {}
        self._anywhere: tuple[Budget, ...] = ()
        self._crowd: Counter[Place] = Counter()
        self._keys: frozenset[str] = frozenset()
        self._remembered: dict[tuple[tuple[str, str], ...], Match] = {}
        live = [budget for budget in self.budgets.values() if budget.live_policies]
        for budget in live:
            self._crowd.update(_places(budget))
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
        other._filed = dict(self._filed)
        other._prefix_lengths = dict(self._prefix_lengths)
        other._crowd = self._crowd.copy()
        other._remembered = {}
        before = self.budgets.get(budget.budget_id)
        if before is not None and before.live_policies:
            other._unfile(before)
        if budget.live_policies:
            other._crowd.update(_places(budget))
            other._file([budget])
        return other

    def with_prices(self) -> "Catalogue":
        """The next version, in which the price book has another version."""
        other = copy(self)
        other.version = self.version + 1
        other.price_version = self.price_version + 1
        return other

    def with_settings(self, settings: Mapping[str, Any]) -> "Catalogue":
        """The next version, in which these are all that was set."""
        other = copy(self)
        other.version = self.version + 1
        other.settings = settings
        return other

    def _file(self, budgets: Iterable[Budget]) -> None:
        """File budgets, whose places were counted before, each under one of its conditions."""
        filed: dict[Place, list[Budget]] = defaultdict(list)
        anywhere: list[Budget] = []
        keys: set[str] = set()
        for budget in budgets:
            keys.update(condition.key for condition in budget.scope)
            keys.update(key for policy in budget.live_policies for key in policy.partition_by)
            if not budget.scope:
                anywhere.append(budget)
                continue
            condition = min(budget.scope, key=self._crowd_of)
            for place in _places_of(condition):
                filed[place].append(budget)
            for start in condition.wanted()[1]:
                lengths = self._prefix_lengths.get(condition.key, ())
                if len(start) not in lengths:
                    self._prefix_lengths[condition.key] = (*lengths, len(start))
        for place, more in filed.items():
            self._filed[place] = (*self._filed.get(place, ()), *more)
        self._anywhere = (*self._anywhere, *anywhere)
        self._keys |= keys

    def _crowd_of(self, condition: Condition) -> tuple[int, int]:
        """How many budgets share the condition's most shared place; exact values go first."""
        most = max(self._crowd[place] for place in _places_of(condition))
        return most, len(condition.prefixes)

    def _unfile(self, budget: Budget) -> None:
        """Take a budget out of every place where it may be filed."""
        self._crowd.subtract(_places(budget))
        for place in _places(budget):
            if not self._crowd[place]:
                del self._crowd[place]
            left = _without(self._filed.get(place, ()), budget)
            if left:
                self._filed[place] = left
            else:
                self._filed.pop(place, None)
        self._anywhere = _without(self._anywhere, budget)

    def match(self, attributes: Attributes) -> Match:
        """The policies in force for a call with these attributes, in a fixed order."""
        keys = self._keys  # calls that differ elsewhere, in their session perhaps, meet the same
        asked = tuple([pair for pair in attributes.items() if pair[0] in keys])
        match = self._remembered.get(asked)
        if match is None:
            match = self._match(attributes)
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[asked] = match
        return match

    def _match(self, attributes: Attributes) -> Match:
        candidates = list(self._anywhere)
        for key, given in attributes.items():
            for value in spellings(key, given):
                candidates.extend(self._filed.get((key, value), ()))
                for length in self._prefix_lengths.get(key, ()):
                    candidates.extend(self._filed.get((key, value[:length] + "*"), ()))
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
        laddered = frozenset(budget.budget_id for budget in budgets if budget.degrade)
        hard = frozenset((policy.policy_id, where) for policy, where in policies if policy.hard)
        return Match(policies, pairs, budgets, _strictest(budgets), laddered, hard)


def _places_of(condition: Condition) -> Iterator[Place]:
    """Where a budget with this condition may be filed."""
    exact, prefixes = condition.wanted()
    for value in exact:
        yield condition.key, value
    for start in prefixes:
        yield condition.key, start + "*"


def _places(budget: Budget) -> list[Place]:
    return [place for condition in budget.scope for place in _places_of(condition)]


def _without(budgets: tuple[Budget, ...], budget: Budget) -> tuple[Budget, ...]:
    return tuple(other for other in budgets if other.budget_id != budget.budget_id)


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

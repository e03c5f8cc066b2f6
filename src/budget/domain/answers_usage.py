"""Answers about usage as a whole: what it adds up to, and how policies stand, as values."""

from collections.abc import Mapping
from typing import NamedTuple

from budget.domain.answers import BalanceView
from budget.domain.budgets import PolicyTerms
from budget.domain.windows import Window


class Figures(NamedTuple):
    """What usage records add up to; a record and its reversal come to nothing.

    `cache_write_tokens` are all that were written to caches. `unpriced` records were booked without
    a cost.
    """

    records: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanos: int = 0
    unpriced: int = 0

    def plus(self, other: "Figures") -> "Figures":
        """Both together."""
        return Figures._make(a + b for a, b in zip(self, other, strict=True))

    def minus(self, other: "Figures") -> "Figures":
        """What is left without the other."""
        return Figures._make(a - b for a, b in zip(self, other, strict=True))


class Group(NamedTuple):
    """Usage of calls with the same attributes, "" where one is missing; `buckets` in order."""

    values: tuple[str, ...]
    figures: Figures
    buckets: tuple[Figures, ...] = ()


class Bucket(NamedTuple):
    """Usage of a part of the time, and what of it is in no group that is shown."""

    window: Window
    figures: Figures
    other: Figures | None = None


class UsageSummary(NamedTuple):
    """What usage of a time adds up to, by `group_by` and by `bucket`.

    `groups` are those of most cost, `other` what is in none of them: None if that is all. Without
    `group_by`, `by` has groups by one attribute each.
    """

    window: Window
    period: str | None
    zone: str
    total: Figures
    group_by: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    other: Figures | None = None
    by: Mapping[str, tuple[Group, ...]] = {}
    bucket: str | None = None
    buckets: tuple[Bucket, ...] = ()


class Standing(NamedTuple):
    """How a policy stands: its balances of now, together, and the one that is nearest to its limit.

    `limit` is that of one balance. `tokens`, `cost_nanos` and `requests` are what its budget's
    scope met in the window. `budget` is the name; `partition_by` is empty where nothing is split.
    """

    policy: PolicyTerms
    budget: str
    zone: str
    partition_by: tuple[str, ...]
    window: Window
    balances: int
    limit: int
    spent: int
    reserved: int
    assumed: int
    overrun: int
    fullest: BalanceView | None
    open_allocations: int
    tokens: int
    cost_nanos: int
    requests: int

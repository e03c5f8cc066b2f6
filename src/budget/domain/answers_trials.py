"""Answers about limits tried on the past, as values. How they look in JSON is `wire.trials`.

Amounts are in the unit of their policy; `_nanos` is money. Not here: how they are worked out
(`engine.simulating`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from budget.domain.budgets import PolicyTerms
from budget.domain.windows import Window


class Counted(NamedTuple):
    """Calls, what they really cost, and which of them the limits would have hindered.

    `refused` calls would have been refused by a hard limit; `over` ones would have gone beyond a
    limit that refuses nothing. What a call cost that would have been refused was then saved.
    """

    calls: int = 0
    cost_nanos: int = 0
    refused: int = 0
    refused_nanos: int = 0
    over: int = 0
    over_nanos: int = 0


class Fullest(NamedTuple):
    """When a limit was nearest to full: its partition and window then, and what was used of it."""

    at_us: int
    partition: str
    window: Window
    limit: int
    used: int


class TriedLimit(NamedTuple):
    """A limit that was tried: of the calls that it met, and its fullest moment."""

    policy: PolicyTerms
    budget: str
    limit: int
    counted: Counted
    fullest: Fullest | None


class TriedDay(NamedTuple):
    """A UTC day."""

    day_us: int
    counted: Counted


class TriedGroup(NamedTuple):
    """Calls with one value of an attribute that would have been hindered."""

    key: str
    value: str
    counted: Counted


class TriedCall(NamedTuple):
    """A call that would have been refused: by which limit, and how that stood."""

    at_us: int
    call_id: str
    attributes: Mapping[str, str]
    policy_id: str
    partition: str
    limit: int
    spent: int
    reserved: int
    assumed: int
    requested: int
    shortfall: int


class Simulation(NamedTuple):
    """What limits would have done to the calls of [since, until).

    `groups` are those of most that would have been hindered, by each of some attributes.
    """

    since_us: int
    until_us: int
    total: Counted
    limits: tuple[TriedLimit, ...]
    days: tuple[TriedDay, ...]
    groups: tuple[TriedGroup, ...]
    first: TriedCall | None

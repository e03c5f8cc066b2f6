"""Answers about limits tried on the past, and decisions explained, as values.

How they look in JSON is `wire.trials`. Amounts are in the unit of their policy; `_nanos` is money.
Not here: how they are worked out (`engine.simulating`, `engine.explaining`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from budget.domain.allocations import Held
from budget.domain.answers import BalanceView
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


class MetLimit(NamedTuple):
    """A limit that a call met: its balance just before, and what was asked of it.

    `requested` is None where the books do not say. `shortfall` is what was missing where it
    refused.
    """

    balance: BalanceView
    requested: int | None
    refused: bool = False
    shortfall: int = 0
    usage_id: str | None = None
    """The usage of another model that met it, where the hold itself did not."""


class Step(NamedTuple):
    """What happened to a call later: an entry of the journal, and what it booked, if it did."""

    at_us: int
    kind: str
    actor: str
    usage_id: str | None
    cost_nanos: int | None
    flags: tuple[str, ...]
    reason: str


class Explanation(NamedTuple):
    """Why a call was `admitted` or `refused`, or how usage was `booked` that nobody reserved.

    `times`: how many refusals alike it stands for. `basis`: whose prices it was held or booked at.
    """

    verdict: str
    at_us: int
    actor: str
    code: str
    times: int
    attributes: Mapping[str, str]
    allocation_id: str | None
    usage_id: str | None
    basis: str | None
    held: Held | None
    input_tokens: int | None
    granted_output_tokens: int | None
    limits: tuple[MetLimit, ...]
    later: tuple[Step, ...] = ()

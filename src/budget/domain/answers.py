"""Answers: what a caller gets back, as values. How they look in JSON is `wire`.

Amounts are in the unit of their policy: nano-USD for `usd`, else counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from budget.domain.allocations import Held
from budget.domain.budgets import PolicyTerms
from budget.domain.costs import Cost
from budget.domain.errors import BudgetError
from budget.domain.ladders import Ladder
from budget.domain.usage import Usage
from budget.domain.windows import Window

SOON_US: Final = 3_600_000_000
"""A rolling period up to this long is waited for, not topped up."""


class BalanceView(NamedTuple):
    """One balance as it stands: policy, partition and window, limit in force, figures."""

    policy: PolicyTerms
    budget: str
    partition: str
    window: Window
    limit: int
    spent: int
    reserved: int
    assumed: int
    overrun: int

    @property
    def remaining(self) -> int:
        """What is free; never below zero."""
        return max(0, self.limit - self.spent - self.reserved - self.assumed)


class Allocation(NamedTuple):
    """A hold. `reserved` and the grant are what was agreed, all else is as of now."""

    allocation_id: str
    status: str
    reserved: Held
    remaining: Held
    granted_output_tokens: int | None
    placed_us: int
    expires_us: int
    basis: str | None
    legs: tuple[BalanceView, ...]
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    priority: int
    envelope: bool
    parent_id: str | None
    metadata: str
    replayed: bool = False
    records: "tuple[UsageRecord, ...]" = ()
    children: "tuple[Allocation, ...]" = ()


class Check(NamedTuple):
    """What `allocate` would hold, and the balances it would meet. Nothing is held."""

    reserved: Held
    granted_output_tokens: int | None
    basis: str | None
    legs: tuple[BalanceView, ...]


class RefusalLine(NamedTuple):
    """One limit that refuses: its balance, what was asked, what is missing, when it resets."""

    balance: BalanceView
    requested: int
    shortfall: int
    resets_us: int | None

    @property
    def unit(self) -> str:
        """The unit of the figures."""
        return self.balance.policy.unit

    @property
    def soon(self) -> bool:
        """Whether waiting helps: its limit is of a minute, or rolls over an hour or less."""
        policy = self.balance.policy
        period = policy.period
        rolls = policy.rolling and period.length_us <= SOON_US
        return rolls or period.kind == "minute"


class HiddenLine(NamedTuple):
    """A limit that refuses and that the caller may not see: all that it is told of it."""

    unit: str
    resets_us: int | None
    soon: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not go. `code` is over_limit, envelope_exhausted or model_unpriced.

    `lines` has every refusing limit, the one that resets last (or never) first. For an exhausted
    envelope it is empty, and `unit`, `limit`, `requested`, `shortfall` are the envelope's.
    """

    code: str
    detail: str
    at_us: int
    lines: tuple[RefusalLine, ...] = ()
    parent_id: str | None = None
    unit: str | None = None
    limit: int | None = None
    requested: int | None = None
    shortfall: int | None = None
    provider: str | None = None
    model: str | None = None
    asked: Held | None = None
    """What a refused call asked to hold."""
    cheaper: tuple[str, ...] = ()
    """Priced models of the same provider that would have fitted, dearest first."""
    advice: str = ""
    """What the operator tells whoever is refused, such as whom to ask."""

    hidden: tuple[HiddenLine, ...] = ()
    """Refusing limits that the caller may not see."""
    ladder: Ladder | None = None
    """What may be done instead, where a budget that refuses says so; for the gateway."""

    @property
    def every(self) -> tuple[RefusalLine | HiddenLine, ...]:
        """Every refusing limit, those that the caller may not see too, in the order of `lines`."""
        if not self.hidden:
            return self.lines
        return tuple(sorted((*self.lines, *self.hidden), key=_last_to_reset))

    @property
    def resets_us(self) -> int | None:
        """When the last refusing window ends; None: no reset cures it."""
        return self.every[0].resets_us if self.every else None


def _last_to_reset(line: RefusalLine | HiddenLine) -> tuple[bool, int]:
    return line.resets_us is not None, -(line.resets_us or 0)


class Receipt(NamedTuple):
    """What booking a usage record did. Without an allocation the last four are None."""

    usage_id: str
    cost_nanos: int | None
    basis: str | None
    flags: tuple[str, ...]
    balances: tuple[BalanceView, ...]
    allocation_id: str | None = None
    status: str | None = None
    expires_us: int | None = None
    remaining: Held | None = None
    replayed: bool = False


class Bulk(NamedTuple):
    """What became of many usage records, in their order: what was booked, or why it was not."""

    results: tuple[Receipt | BudgetError, ...]

    @property
    def accepted(self) -> int:
        """How many are booked, now or before."""
        return sum(isinstance(result, Receipt) for result in self.results)

    @property
    def replayed(self) -> bool:
        """Whether all of it was booked before."""
        return all(isinstance(result, Receipt) and result.replayed for result in self.results)


class UsageRecord(NamedTuple):
    """A usage record as it lies in the books."""

    usage_id: str
    allocation_id: str | None
    actor: str
    recorded_us: int
    occurred_us: int
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    usage: Usage
    cost_nanos: int | None
    reported_cost_nanos: int | None
    basis: str | None
    flags: tuple[str, ...]
    final: bool
    reverses: str | None
    replaces: str | None
    reason: str | None
    metadata: str
    price_context: str | None = None
    """What was asked for beside the model, such as `processing=batch`."""


class Correction(NamedTuple):
    """A reversal, and its replacement if there is one."""

    reversal_id: str
    replacement_id: str | None
    cost_nanos: int | None
    balances: tuple[BalanceView, ...]
    replayed: bool = False


class Calculation(NamedTuple):
    """What usage costs, by a price found under this provider's and model's own names."""

    provider: str
    model: str
    basis: str
    context: str
    at_us: int
    cost: Cost
    resolved: tuple[str, ...] = ()
    """How the model was found by its name, step by step; empty: as it stands."""


class Event(NamedTuple):
    """An entry of the journal as readers see it; `cursor` orders it."""

    cursor: int
    at_us: int
    kind: str
    actor: str
    allocation_id: str | None
    usage_id: str | None
    budget_id: str | None
    policy_id: str | None
    legs: str
    detail: str

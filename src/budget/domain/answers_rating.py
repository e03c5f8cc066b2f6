"""Answers about history priced again: re-ratings, what-ifs, and how much of it has prices at all.

Money is nano-USD. How they look in JSON is `wire.rating`. Not here: how they are worked out
(`engine.rerating`, `engine.whatif`, `engine.coverage`).
"""

from dataclasses import dataclass
from typing import NamedTuple

UNPRICED = "unpriced"
"""The status of a model without a price, beside those of `answers_prices.STATUSES`."""


class Rerated(NamedTuple):
    """One usage record that costs something else now; a cost of None: it had none yet."""

    usage_id: str
    occurred_us: int
    provider: str | None
    model: str | None
    old_nanos: int | None
    new_nanos: int
    old_basis: str | None
    new_basis: str

    @property
    def difference_nanos(self) -> int:
        """What it costs more (or less)."""
        return self.new_nanos - (self.old_nanos or 0)


class RatedModel(NamedTuple):
    """The records of one model; `model` None: of no model, or of all beyond the most told."""

    provider: str | None
    model: str | None
    records: int
    changed: int
    unpriced: int
    old_nanos: int
    new_nanos: int


class RatedBasis(NamedTuple):
    """The records that go from one basis to another; None: no prices. The same: they stay."""

    old_basis: str | None
    new_basis: str | None
    records: int
    changed: int
    old_nanos: int
    new_nanos: int


@dataclass(frozen=True, slots=True)
class Rerating:
    """What usage of [since, until) costs under a book, and, if applied, what became of it.

    Of the records examined some are `changed`, some `unchanged`, and `unpriced` ones stay as they
    were booked, since the book has no price for them. `booked` of the changed ones were corrected;
    `corrected_meanwhile` ones somebody else had corrected first; `failed` ones could not be.
    """

    basis: str
    since_us: int
    until_us: int
    examined: int
    unchanged: int
    changed: int
    unpriced: int
    old_nanos: int
    new_nanos: int
    models: tuple[RatedModel, ...]
    bases: tuple[RatedBasis, ...]
    largest: tuple[Rerated, ...]
    applied: bool = False
    booked: int = 0
    corrected_meanwhile: int = 0
    failed: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    """(usage id, why) of the first that failed."""


class Exchange(NamedTuple):
    """What the records of a model cost, and would cost on another, at the prices of their time.

    `unpriced` records have no price on one of the two and are in no total. Some do not fit: their
    tokens exceed the other model's `context_window`, their output its `max_output_tokens`; None:
    nobody says what fits. `unpriced_units`: kinds that the other has no price for, which are in no
    figure of it.
    """

    model: str
    instead: str
    provider: str
    """Of the other model, by the names its price was found under, as `priced_model`."""
    priced_model: str
    records: int
    unpriced: int
    old_nanos: int
    new_nanos: int
    context_window: int | None
    over_context_window: int
    max_output_tokens: int | None
    over_max_output: int
    retired: int
    unpriced_units: tuple[str, ...]


class DayTotal(NamedTuple):
    """What the exchanged records of a UTC day cost, and would cost."""

    day_us: int
    records: int
    old_nanos: int
    new_nanos: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What history of [since, until) would cost with models exchanged. Nothing was booked.

    `at_now`: all at the prices of now, else each record at those of its time. The totals are of the
    exchanged records; `others` were not exchanged and cost `others_nanos`, as booked.
    """

    basis: str
    since_us: int
    until_us: int
    at_now: bool
    records: int
    unpriced: int
    old_nanos: int
    new_nanos: int
    others: int
    others_nanos: int
    exchanges: tuple[Exchange, ...]
    days: tuple[DayTotal, ...]


class Seen(NamedTuple):
    """Some of what was seen: how many models, calls, tokens of input and output, and their cost."""

    models: int = 0
    calls: int = 0
    tokens: int = 0
    cost_nanos: int = 0


class SeenModel(NamedTuple):
    """A model that was seen. `without_cost` of its records were booked without a cost.

    `last_us` is the start of the UTC hour or day that it was last seen in.
    """

    provider: str | None
    model: str | None
    status: str
    calls: int
    tokens: int
    cost_nanos: int
    without_cost: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was seen in [since, until) has a price now, and how sure that is.

    By status: `unpriced`, or one of `answers_prices.STATUSES`. `uncovered` are the models that are
    unpriced, unverified or in conflict, those without a price first, then by calls, the most told.
    """

    since_us: int
    until_us: int
    basis: str
    total: Seen
    by_status: dict[str, Seen]
    without_cost: int
    """Records that were booked without a cost: a re-rating books it once the price is known."""
    uncovered: tuple[SeenModel, ...]

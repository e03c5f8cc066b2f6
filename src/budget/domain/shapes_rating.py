"""Shapes of history priced again in JSON, as types; see `shapes` for how values are written."""

from typing import TypedDict


class ReratedShape(TypedDict):
    """A usage record that costs something else; `old_cost` null: it had none."""

    usage_id: str
    occurred_at: str
    provider: str | None
    model: str | None
    old_cost: str | None
    new_cost: str
    difference: str
    old_basis: str | None
    new_basis: str


class RatedModelShape(TypedDict):
    """The records of a model, and what they come to."""

    provider: str | None
    model: str | None
    records: int
    changed: int
    unpriced: int
    old_cost: str
    new_cost: str
    difference: str


class RatedBasisShape(TypedDict):
    """The records that go from one basis to another; the same: they stay."""

    old_basis: str | None
    new_basis: str | None
    records: int
    changed: int
    old_cost: str
    new_cost: str
    difference: str


class FailureShape(TypedDict):
    """A record that could not be corrected."""

    usage_id: str
    detail: str


class ReratingShape(TypedDict):
    """What usage costs under a book, and what was booked of it."""

    basis: str
    since: str
    until: str
    examined: int
    unchanged: int
    changed: int
    unpriced: int
    old_cost: str
    new_cost: str
    difference: str
    models: list[RatedModelShape]
    bases: list[RatedBasisShape]
    largest: list[ReratedShape]
    applied: bool
    booked: int
    corrected_meanwhile: int
    failed: int
    failures: list[FailureShape]


class ExchangeShape(TypedDict):
    """One model instead of another; `percent` is null where the first cost nothing."""

    model: str
    instead: str
    provider: str
    priced_model: str
    records: int
    unpriced: int
    old_cost: str
    new_cost: str
    difference: str
    percent: str | None
    context_window: int | None
    over_context_window: int
    max_output_tokens: int | None
    over_max_output: int
    retired: int
    unpriced_units: list[str]


class DayTotalShape(TypedDict):
    """The exchanged records of a UTC day."""

    day: str
    records: int
    old_cost: str
    new_cost: str
    difference: str


class WhatIfShape(TypedDict):
    """What history would cost with models exchanged."""

    basis: str
    since: str
    until: str
    at_now: bool
    records: int
    unpriced: int
    old_cost: str
    new_cost: str
    difference: str
    percent: str | None
    others: int
    others_cost: str
    exchanges: list[ExchangeShape]
    days: list[DayTotalShape]
    notes: list[str]


class SeenShape(TypedDict):
    """Some of what was seen, and its shares of all: fractions, cut to four decimals."""

    models: int
    calls: int
    tokens: int
    cost: str
    models_share: str
    calls_share: str
    tokens_share: str
    cost_share: str


class SeenModelShape(TypedDict):
    """A model that was seen; `last_seen` is the UTC hour or day of its last call."""

    provider: str | None
    model: str | None
    status: str
    calls: int
    tokens: int
    cost: str
    without_cost: int
    last_seen: str


class CoverageShape(TypedDict):
    """How much of what was seen has a price; `priced` is all but `unpriced`."""

    since: str
    until: str
    basis: str
    total: SeenShape
    priced: SeenShape
    unpriced: SeenShape
    verified: SeenShape
    unverified: SeenShape
    conflict: SeenShape
    own: SeenShape
    without_cost: int
    uncovered: list[SeenModelShape]

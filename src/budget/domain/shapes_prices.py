"""Shapes of prices in JSON, as types; see `shapes` for how values are written.

A price is in USD for a million tokens, one request, or one of another unit; a `Rate` is one price,
or tiers of them: [first input tokens, price]. A percentage is of what holds: "50.00" is half as
much again, null from zero or nothing.
"""

from typing import TypedDict

Rate = str | list[list[int | str]]


class RatesShape(TypedDict):
    """What units cost; null: as what they are part of."""

    input: Rate
    output: Rate
    cache_read: Rate | None
    cache_write: Rate | None
    cache_write_1h: Rate | None
    reasoning: Rate | None
    request: str
    units: dict[str, Rate]


class SourceFigureShape(TypedDict):
    """What one source says; `agrees` null: it is the one that holds."""

    source: str
    trust: int
    provider: str
    model: str
    basis: str
    prices: RatesShape
    agrees: bool | None
    input_percent: str | None
    output_percent: str | None


class CapabilitiesShape(TypedDict):
    """What a model can do and how much fits; null where nobody says."""

    context_window: int | None
    max_output_tokens: int | None
    mode: str | None
    tools: bool | None
    vision: bool | None
    audio: bool | None
    json: bool | None
    reasoning: bool | None
    batch: bool | None
    open_weights: bool | None
    deprecated: bool | None
    retired_at: str | None


class PriceShape(TypedDict):
    """The price of a model at an instant, which holds from `starts_at` until `ends_at`.

    `price_type`, the costs per token (of small calls), `version`, `verified`, `effective_date` and
    `end_date` are the same under Tekton's names. Only of one that was asked for by name `resolved`
    says how that was read, step by step, and `capabilities` what the model can do.
    """

    provider: str
    model: str
    price_context: str | None
    at: str
    starts_at: str | None
    ends_at: str | None
    prices: RatesShape
    price_type: str
    input_cost_per_token: str
    output_cost_per_token: str
    source: str
    basis: str
    version: str
    status: str
    verified: bool
    effective_date: str | None
    end_date: str | None
    flags: list[str]
    sources: list[SourceFigureShape]
    resolved: list[str]
    capabilities: CapabilitiesShape | None


class PricePeriodShape(TypedDict):
    """A price from `starts_at` until `ends_at`; `daily` are two times of day in UTC.

    `replaced`: others hold in all of that time. `effective_date` and `end_date` are the same under
    Tekton's names.
    """

    id: str | None
    provider: str
    model: str
    price_context: str | None
    starts_at: str | None
    ends_at: str | None
    daily: list[str] | None
    prices: RatesShape | None
    source: str
    basis: str | None
    kind: str
    reason: str | None
    replaced: bool
    effective_date: str | None
    end_date: str | None


class PriceOverrideShape(TypedDict):
    """A price that was set."""

    override_id: str
    provider: str | None
    model: str
    price_context: str | None
    starts_at: str | None
    ends_at: str | None
    prices: RatesShape
    basis: str
    actor: str
    reason: str
    created_at: str


class PriceUpdateShape(TypedDict):
    """A change of one kind of unit; prices in USD for a million tokens or one of another unit."""

    update_id: str
    at: str
    source: str
    provider: str
    model: str
    price_context: str | None
    kind: str
    tier_from_tokens: int
    old_price: str | None
    new_price: str | None
    percent: str | None
    starts_at: str
    old_basis: str | None
    new_basis: str
    status: str
    decided_by: str | None
    decided_at: str | None
    reason: str | None


class SourceUpdateShape(TypedDict):
    """How the update of a source went."""

    source: str
    status: str
    basis: str | None
    models: int
    changed: int
    added: int
    dropped: int
    quarantined: int
    skipped: int
    error: str | None


class PriceReportShape(TypedDict):
    """What an update came to: how many `sources` were read, which, and how each went."""

    at: str
    updates_started: int
    sources: list[str]
    results: list[SourceUpdateShape]


class PriceSourceShape(TypedDict):
    """A source of prices."""

    source: str
    trust: int
    place: str | None
    basis: str | None
    version: str | None
    models: int
    taken_at: str | None
    checked_at: str | None
    applied_at: str | None
    error: str | None
    waiting: int
    held: str | None


class PriceDecisionShape(TypedDict):
    """What accepting or rejecting did."""

    status: str
    basis: str | None
    updates: list[PriceUpdateShape]


class PriceComparisonShape(TypedDict):
    """What sources say, beside what holds."""

    at: str
    provider: str
    model: str
    in_force: PriceShape | None
    sources: list[SourceFigureShape]

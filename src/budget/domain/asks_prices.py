"""What a caller may write of prices, and of the past priced again, as types."""

from collections.abc import Mapping
from typing import Any, TypedDict

from budget.domain.asks import Written


class PriceAsk(TypedDict, total=False):
    """What `set_price` takes: USD for a million tokens, a request, and one of each other unit.

    A price may have tiers, `[[0, "1.25"], [200001, "2.50"]]`: by a call's total input tokens.
    """

    provider: str
    model: str
    input: Written | list[list[int | Written]]
    output: Written | list[list[int | Written]]
    cache_read: Written | list[list[int | Written]]
    cache_write: Written | list[list[int | Written]]
    cache_write_1h: Written | list[list[int | Written]]
    reasoning: Written | list[list[int | Written]]
    request: Written
    units: Mapping[str, Written | list[list[int | Written]]]
    price_context: Mapping[str, str]
    starts_at: str
    ends_at: str
    reason: str
    idempotency_key: str


class PastAsk(TypedDict, total=False):
    """Which usage records: those of [since, until), perhaps only of a model, provider or scope."""

    since: str
    until: str
    provider: str
    model: str
    scope: Mapping[str, Any]


class RerateAsk(PastAsk, total=False):
    """What `rerate` takes: with `apply` and a `reason` the differences are booked.

    `basis`: the snapshot of a source to price with, in place of what it says now.
    """

    basis: str
    apply: bool
    reason: str


class WhatIfAsk(PastAsk, total=False):
    """What `what_if` takes: which models instead of which; `at_now`: at the prices of now."""

    models: Mapping[str, str]
    at_now: bool


class RecommendAsk(TypedDict, total=False):
    """What `recommend` takes: a model in use, or a provider, and the size of a call in tokens.

    `task_type` says how long the answer is, where `output_size` does not.
    """

    provider: str
    model: str
    prefer_provider: str
    task_type: str
    context_size: int
    output_size: int
    max_cost: Written

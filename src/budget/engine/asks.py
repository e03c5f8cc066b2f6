"""Asks: who asks, and what a caller may write for each act, as types.

Not here: how what was written is checked (`intake`, `fields`).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypedDict

from budget.domain.errors import Forbidden
from budget.domain.rights import UNBOUND, Bound


class Caller(NamedTuple):
    """Who acts: the id of an API key (or `local`), and whether it may do what `manage` keys may.

    `admin`: whether it has every right. One that is `bound` spends with these attributes and sees
    nothing of others (`domain.rights`).
    """

    actor: str
    manage: bool = True
    max_priority: int = 10
    bound: Bound = UNBOUND
    admin: bool = False


LOCAL: Final = Caller("local", admin=True)
"""The caller of the in-process library."""


def require_unbound(caller: Caller) -> None:
    """Forbidden for a caller that is bound to attributes: what it asks for concerns all."""
    if caller.bound:
        named = ", ".join(f"{key}={value}" for key, value in caller.bound.items())
        raise Forbidden(f"This concerns all of the books, and this key is bound to {named}.")


class AllocationAsk(TypedDict, total=False):
    """What `allocate` and `check` take; money in USD as a string, an int or a Decimal.

    An estimate (`input_tokens`, and `max_output_tokens` unless the default grant will do) or stated
    amounts (`usd`, `tokens`, `requests`, any together); with neither, the default size by task type
    and priority. In place of `input_tokens` the `request` itself: what goes to the provider.
    """

    attributes: Mapping[str, str]
    provider: str
    model: str
    request: Any
    input_tokens: int
    max_output_tokens: int
    units: Mapping[str, int]
    price_context: Mapping[str, str]
    usd: str | int | Decimal
    tokens: int
    requests: int
    allocation_id: str
    ttl_seconds: int
    fit: bool
    min_output_tokens: int
    priority: int
    envelope: bool
    parent_id: str
    metadata: Mapping[str, Any]
    context_id: str
    component: str
    task_type: str
    tier: str
    user_id: str
    tokens_allocated: int
    idempotency_key: str


class EstimateAsk(TypedDict, total=False):
    """What `estimate` takes: a request as its provider takes it, its messages, or a text."""

    provider: str
    model: str
    request: Any
    max_output_tokens: int
    price_context: Mapping[str, str]


class CountsAsk(TypedDict, total=False):
    """What was used of which model. `input_tokens` includes cache reads and writes."""

    provider: str
    model: str
    price_context: Mapping[str, str]
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    units: Mapping[str, int]
    requests: int


class CostAsk(CountsAsk, total=False):
    """What `calculate` takes: usage, and the time of the prices (now unless said)."""

    at: str


class UsageAsk(CountsAsk, total=False):
    """What `record` and `settle` take."""

    cost: str | int | Decimal
    usage_id: str
    occurred_at: str
    metadata: Mapping[str, Any]
    idempotency_key: str


class ReportAsk(UsageAsk, total=False):
    """What `record_usage` takes: usage that nobody reserved, with who spent it."""

    attributes: Mapping[str, str]
    context_id: str
    component: str
    task_type: str
    tier: str
    user_id: str


class ExtendAsk(TypedDict, total=False):
    """What `extend` takes: more time, more money, more output tokens, or several."""

    ttl_seconds: int
    usd: str | int | Decimal
    tokens: int
    requests: int
    max_output_tokens: int
    idempotency_key: str


Written = str | int | Decimal
"""A price in USD: no floats."""


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

"""Asks: what a caller may write to spend, record and estimate, as types.

Not here: how what was written is checked (`engine.intake`), and what else may be asked (`asks_*`).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

Written = str | int | Decimal
"""A price in USD: no floats."""


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
    expected_tokens_used: int
    expiration_time: str
    budget_id: str
    idempotency_key: str


class ExtendAsk(TypedDict, total=False):
    """What `extend` takes: more time, more money, more output tokens, or several."""

    ttl_seconds: int
    usd: str | int | Decimal
    tokens: int
    requests: int
    max_output_tokens: int
    idempotency_key: str


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
    history: bool


class EstimateAsk(TypedDict, total=False):
    """What `estimate` takes: a request as its provider takes it, its messages, or a text."""

    provider: str
    model: str
    request: Any
    max_output_tokens: int
    price_context: Mapping[str, str]


class ToldUsageAsk(ReportAsk, total=False):
    """What `record_in_context` takes: usage as Tekton tells it. `request_id` is its
    idempotency key.
    """

    allocation_id: str
    request_id: str
    operation_id: str


class BulkRecordAsk(ReportAsk, total=False):
    """Usage that nobody reserved or, with `allocation_id`, usage of that; then perhaps `final`."""

    allocation_id: str
    final: bool


class BulkAsk(TypedDict, total=False):
    """What `record_bulk` takes."""

    records: Sequence[BulkRecordAsk]
    idempotency_key: str

"""Answers: how what tools say looks in JSON, as types; the schemas of their answers.

Money is a decimal string in USD, counts are whole numbers, instants are RFC 3339 in UTC, shares are
decimal strings ("0.8" is 80 %). `next` says what to do next.
"""

from typing import Any, NotRequired, TypedDict

from budget.domain.shapes import Amount


class RefusingLimitShape(TypedDict):
    """One limit that refuses; null in what the key may not see. Amounts are in the `unit`."""

    budget: str | None
    budget_id: str | None
    policy_id: str | None
    unit: str | None
    period: str | None
    limit: Amount | None
    spent: Amount | None
    reserved: Amount | None
    requested: Amount | None
    shortfall: Amount | None
    resets_at: str | None


class RefusedShape(TypedDict):
    """Why not: what refuses, when that resets (null: by itself never), and what would fit."""

    code: str
    reason: str
    resets_at: str | None
    retry_after_seconds: int | None
    cheaper: list[str]
    how_to_raise: str
    refused_by: list[RefusingLimitShape]


class AllocatedShape(TypedDict):
    """A hold: `amount` and `remaining` are tokens, null where money alone is held."""

    allowed: bool
    allocation_id: str | None
    context_id: str | None
    amount: int | None
    remaining: int | None
    held_usd: str | None
    tier: str | None
    provider: str | None
    model: str | None
    granted_output_tokens: int | None
    status: str | None
    expires_at: str | None
    warnings: list[str]
    refusal: RefusedShape | None
    next: str


class CheckInfoShape(TypedDict):
    """What a call would hold."""

    reason: str
    estimated_cost: str | None
    tokens: int | None
    max_output_tokens: int | None
    warnings: list[str]


class CheckedShape(TypedDict):
    """Whether a call may go. Nothing is held."""

    allowed: bool
    info: CheckInfoShape
    refusal: RefusedShape | None
    next: str


class RecordedShape(TypedDict):
    """What was booked. `remaining` is what the hold has left, in tokens; null without one."""

    success: bool
    usage_id: str
    context_id: str | None
    allocation_id: str | None
    recorded_tokens: int
    cost: str | None
    remaining: int | None
    remaining_usd: str | None
    status: str | None
    flags: list[str]
    replayed: bool
    estimated: bool
    next: str


class ReleasedShape(TypedDict):
    """A hold that ended, and what it returned."""

    allocation_id: str
    status: str
    returned_usd: str | None
    returned_tokens: int | None
    next: str


class EnvelopeClosedShape(TypedDict):
    """An envelope that ended: what was held for it, what its calls spent, what returned."""

    allocation_id: str
    status: str
    held_usd: str | None
    spent_usd: str | None
    returned_usd: str | None
    held_tokens: int | None
    returned_tokens: int | None
    children: int
    next: str


class BudgetLineShape(TypedDict):
    """How one budget stands in a period; null where it has no limit of that kind."""

    budget_id: str
    budget: str
    period: str
    partition: dict[str, str | None]
    tier: str | None
    provider: str | None
    component: str | None
    tokens_allocated: int
    tokens_used: int | None
    tokens_remaining: int | None
    token_limit: int | None
    token_usage_percentage: str | None
    token_limit_exceeded: bool
    cost_allocated: str
    cost: str | None
    cost_remaining: str | None
    cost_limit: str | None
    cost_usage_percentage: str | None
    cost_limit_exceeded: bool
    enforcement: str
    resets_at: str | None


class TierShape(TypedDict):
    """How a tier stands, in tokens; null where no limit of tokens meets it."""

    allocated: int
    used: int
    remaining: int | None
    limit: int | None
    usage_percentage: str | None
    limit_exceeded: bool


class BudgetStatusShape(TypedDict):
    """How budgets stand: by budget, or by tier for the components apollo and rhetor."""

    success: bool
    period: str
    summaries: NotRequired[list[BudgetLineShape]]
    tiers: NotRequired[dict[str, TierShape]]
    next: str


class ModelChoiceShape(TypedDict):
    """A model that will do, and what the call costs with it."""

    provider: str
    model: str
    estimated_cost: str
    savings: str | None
    savings_percent: str | None
    is_known: bool


class ModelRecommendationsShape(TypedDict):
    """Models for a call of a size, the cheapest first."""

    provider: str | None
    model: str | None
    task_type: str
    context_size: int
    output_size: int
    current_cost: str | None
    recommendations: list[ModelChoiceShape]
    best_match: ModelChoiceShape | None
    next: str


class RoutedShape(TypedDict):
    """Which model to call; where not `allowed`, none. Nothing is held."""

    allowed: bool
    provider: str | None
    model: str | None
    tier: str | None
    estimated_cost: str | None
    warnings: list[str]
    original_provider: str | None
    original_model: str | None
    is_downgraded: bool
    reason: str
    refusal: RefusedShape | None
    next: str


class SumShape(TypedDict):
    """What usage adds up to."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: str
    count: int


class ProviderSumShape(SumShape):
    """What usage of a provider adds up to, and that of each of its models."""

    models: dict[str, SumShape]


class TimeSeriesShape(TypedDict):
    """Figures by part of the time, in its order: lists of one length."""

    labels: list[str]
    input_tokens: list[int]
    output_tokens: list[int]
    costs: list[str]
    counts: list[int]


class UsageAnalyticsShape(TypedDict):
    """What usage of a time adds up to. `time_series` is null for fewer than 10 records."""

    period: str
    start_date: str
    end_date: str | None
    total_input_tokens: int
    total_output_tokens: int
    total_tokens: int
    total_cost: str
    record_count: int
    providers: dict[str, ProviderSumShape]
    components: dict[str, SumShape]
    task_types: dict[str, SumShape]
    time_series: TimeSeriesShape | None
    budget_id: str | None
    next: str


class PriceToldShape(TypedDict):
    """What a model costs, in USD per million tokens; a tiered price is [from input tokens, USD]."""

    provider: str
    model: str
    input_usd_per_million_tokens: str | list[list[int | str]]
    output_usd_per_million_tokens: str | list[list[int | str]]
    cache_read_usd_per_million_tokens: str | list[list[int | str]] | None
    usd_per_request: str
    source: str
    status: str
    valid_from: str | None
    context_window: int | None
    max_output_tokens: int | None
    resolved: list[str]
    next: str


class CostEstimateShape(TypedDict):
    """What a call would cost. `how` the input was counted: stated, counted, bound or learnt."""

    provider: str | None
    model: str
    input_tokens: int
    output_tokens: int | None
    how: str
    input_cost: str | None
    output_cost: str | None
    total_cost: str | None
    next: str


class ForecastLineShape(TypedDict):
    """Where a limit will stand at the end of its window, by a straight line through what is spent.

    `exhausted_at` null: not before the window ends. `sure` is false early in a window, when a pace
    says little.
    """

    budget_id: str
    budget: str
    policy_id: str
    unit: str
    period: str
    partition: dict[str, str | None]
    limit: Amount
    used: Amount
    projected: Amount | None
    window_end: str | None
    exhausted_at: str | None
    sure: bool


class ForecastShape(TypedDict):
    """Forecasts of limits, those that are reached first at the head."""

    at: str
    items: list[ForecastLineShape]
    next: str


class AnomalyShape(TypedDict):
    """Something unusual that a person should see."""

    alert_id: str
    kind: str
    severity: str
    message: str
    subject: str | None
    budget_id: str | None
    at: str
    details: dict[str, Any]


class AnomaliesShape(TypedDict):
    """What is unusual, newest first."""

    items: list[AnomalyShape]
    next: str


class ExplainedLimitShape(TypedDict):
    """A limit that the call met, and its figures just before; amounts are in the `unit`."""

    budget: str
    budget_id: str
    policy_id: str
    unit: str
    period: str
    enforcement: str
    limit: Amount
    spent: Amount
    reserved: Amount
    assumed: Amount
    requested: Amount | None
    shortfall: Amount
    refused: bool


class ExplainedShape(TypedDict):
    """Why a call was admitted or refused."""

    verdict: str
    code: str
    at: str
    times: int
    attributes: dict[str, str]
    allocation_id: str | None
    limits: list[ExplainedLimitShape]
    next: str


class TopUpAskedShape(TypedDict):
    """A request for more: pending until somebody decides, then approved or rejected."""

    request_id: str
    status: str
    budget_id: str
    policy_id: str
    unit: str
    amount: Amount
    granted_amount: Amount | None
    reason: str
    expires_at: str
    person: str
    next: str


class AllocationToldShape(TypedDict):
    """A hold as it stands. `used_usd` is what its records have cost so far."""

    allocation_id: str
    status: str
    envelope: bool
    parent_id: str | None
    provider: str | None
    model: str | None
    reserved_usd: str | None
    reserved_tokens: int | None
    remaining_usd: str | None
    remaining_tokens: int | None
    used_usd: str | None
    records: int
    children: int
    placed_at: str
    expires_at: str
    attributes: dict[str, str]
    next: str

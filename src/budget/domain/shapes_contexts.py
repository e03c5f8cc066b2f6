"""Shapes of contexts, and of what use teaches of holds. Shares are decimal strings: "0.85"."""

from typing import TypedDict

from budget.domain.shapes import Amount


class ExhaustionShape(TypedDict):
    """When a limit, or the window, of a context is used up at its pace; null: that cannot be told.

    Money is text, all else a count.
    """

    of: str
    unit: str
    limit: Amount
    used: Amount
    left: Amount
    calls_left: int | None
    at: str | None
    policy_id: str | None
    budget: str | None


class HintShape(TypedDict):
    """What would help, in a sentence; what it saves of each call."""

    kind: str
    text: str
    saved_tokens: int | None
    saved_cost: str | None


class ContextShape(TypedDict):
    """A context. `attributes` are those of its newest call."""

    context_id: str
    attributes: dict[str, str]
    first_at: str
    last_at: str
    requests: int
    input_tokens: int
    output_tokens: int
    tokens: int
    cost: str
    unpriced: int
    allocations: int
    open_allocations: int
    reserved_tokens: int
    allocated_tokens: int
    used_tokens: int
    efficiency: str | None
    window_tokens: int | None
    fill_tokens: int | None
    exhaustions: list[ExhaustionShape]
    hints: list[HintShape]


class ContextUseShape(TypedDict):
    """What calls of a context with the same attributes used."""

    component: str | None
    tier: str | None
    task_type: str | None
    provider: str | None
    model: str | None
    requests: int
    input_tokens: int
    output_tokens: int
    cost: str
    unpriced: int


class UseShape(TypedDict):
    """One call; `cost` null: it has no price."""

    at: str
    input_tokens: int
    output_tokens: int
    cost: str | None


class SeenContextShape(TypedDict):
    """A context as Apollo sees it; null where it does not say."""

    context_id: str
    component: str | None
    provider: str | None
    model: str | None
    task_type: str | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    max_tokens: int | None
    token_utilization: str | None
    health: str | None
    health_score: str | None
    updated_at: str | None


class PredictionShape(TypedDict):
    """What Apollo predicts of a context."""

    context_id: str
    prediction_id: str | None
    health: str | None
    health_score: str | None
    total_tokens: int | None
    token_utilization: str | None
    confidence: str | None
    predicted_at: str | None


class ContextInFullShape(ContextShape):
    """A context with what it used, its newest calls, and what Apollo says where that is known."""

    by: list[ContextUseShape]
    calls: list[UseShape]
    apollo: SeenContextShape | None
    predictions: list[PredictionShape]


class ApolloShape(TypedDict):
    """What Apollo saw and predicted when it was asked last; null: it was never asked."""

    read_at: str | None
    contexts: list[SeenContextShape]
    predictions: list[PredictionShape]


class EfficiencyShape(TypedDict):
    """What was used of holds. `attributes` are those grouped by; null where one is missing."""

    attributes: dict[str, str | None]
    calls: int
    allocated_tokens: int
    used_tokens: int
    overrun_tokens: int
    efficiency: str | None


class EfficienciesShape(TypedDict):
    """What was used of holds in all, and by attributes."""

    group_by: list[str]
    total: EfficiencyShape
    groups: list[EfficiencyShape]


class LearntSizeShape(TypedDict):
    """How many tokens calls of a kind are held by, as use teaches; null where none is said."""

    component: str | None
    task_type: str
    family: str | None
    calls: int
    quantile_tokens: int
    tokens: int
    table_tokens: int
    least_tokens: int
    most_tokens: int
    applied: bool
    why: str


class LearntSizesShape(TypedDict):
    """What was learnt of each kind of calls."""

    items: list[LearntSizeShape]

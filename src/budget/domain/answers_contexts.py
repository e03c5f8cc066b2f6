"""Answers about contexts: what sessions use of what was allocated, and what comes of that.

A context is the session of a call, as Tekton calls it. Shares are in basis points. How answers look
in JSON is `wire.contexts`. Not here: how they are worked out (`analytics`, `engine.contexts`).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from budget.domain.attributes import Attributes
from budget.domain.budgets import Unit


class Use(NamedTuple):
    """One call of a context."""

    at_us: int
    input_tokens: int
    output_tokens: int
    cost_nanos: int | None = None


class Exhaustion(NamedTuple):
    """When something of a context is used up at its pace: a limit of its own, or its window.

    `used` and `left` are in `unit`. `calls_left` are calls like those it has made; None: it has
    made too few, or they use none of it. `at_us` None: at no time that can be told.
    """

    of: Literal["limit", "window"]
    unit: Unit
    limit: int
    used: int
    left: int
    calls_left: int | None
    at_us: int | None
    policy_id: str | None = None
    budget: str | None = None


HintKind = Literal["window", "input_growth", "limit", "size"]


class Hint(NamedTuple):
    """What would help, in a sentence with its figures.

    `saved_tokens` are those of one call; `saved_nanos` is what they cost, None where that is not
    known.
    """

    kind: HintKind
    text: str
    saved_tokens: int | None = None
    saved_nanos: int | None = None


class ContextUse(NamedTuple):
    """What calls of a context with the same attributes used; None where an attribute is missing."""

    component: str | None
    tier: str | None
    task_type: str | None
    provider: str | None
    model: str | None
    requests: int
    input_tokens: int
    output_tokens: int
    cost_nanos: int
    unpriced: int


class SeenContext(NamedTuple):
    """A context as Apollo sees it; None where it does not say. `updated_at` is its own word."""

    context_id: str
    component: str | None
    provider: str | None
    model: str | None
    task_type: str | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    max_tokens: int | None
    utilization_bps: int | None
    health: str | None
    health_bps: int | None
    updated_at: str | None


class Prediction(NamedTuple):
    """What Apollo predicts of a context."""

    context_id: str
    prediction_id: str | None
    health: str | None
    health_bps: int | None
    total_tokens: int | None
    utilization_bps: int | None
    confidence_bps: int | None
    predicted_at: str | None


class Context(NamedTuple):
    """A context: who used it last, what it used, what it was allocated, and what comes of that.

    `attributes` are those of its newest call. `allocated_tokens` and `used_tokens` are of holds
    that are settled. `fill_tokens` is what its newest call read and wrote, `window_tokens` what its
    model takes at most. `by` and `uses`, the newest calls in order, are there for one context; so
    are what Apollo sees and predicts of it, where a service is in touch with it.
    """

    session: str
    attributes: Attributes
    first_us: int
    last_us: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost_nanos: int
    unpriced: int
    allocations: int
    open_allocations: int
    reserved_tokens: int
    allocated_tokens: int
    used_tokens: int
    efficiency_bps: int | None
    window_tokens: int | None
    fill_tokens: int | None
    exhaustions: tuple[Exhaustion, ...] = ()
    hints: tuple[Hint, ...] = ()
    by: tuple[ContextUse, ...] = ()
    uses: tuple[Use, ...] = ()
    seen: SeenContext | None = None
    predictions: tuple[Prediction, ...] = ()

    @property
    def soonest(self) -> Exhaustion | None:
        """What is used up first, as far as that can be told."""
        told = [one for one in self.exhaustions if one.calls_left is not None]
        return min(told, key=lambda one: one.calls_left or 0, default=None)


class Efficiency(NamedTuple):
    """Holds of calls with the same attributes, "" where one is missing, and what was used of them.

    `overrun_tokens` are those that calls used beyond their own holds.
    """

    values: tuple[str, ...]
    calls: int
    allocated_tokens: int
    used_tokens: int
    overrun_tokens: int
    efficiency_bps: int | None


class Efficiencies(NamedTuple):
    """What was used of what was allocated, by some attributes, most tokens first; and in all."""

    group_by: tuple[str, ...]
    total: Efficiency
    groups: Sequence[Efficiency]


class LearntSize(NamedTuple):
    """How many tokens calls of a kind are held by, as their use teaches.

    `table_tokens` is what the table says at normal priority; what is learnt lies between
    `least_tokens` and `most_tokens`. `applied`: whether holds without a size take it. `why` tells
    it in a sentence.
    """

    component: str
    task_type: str
    family: str
    calls: int
    quantile_tokens: int
    tokens: int
    table_tokens: int
    least_tokens: int
    most_tokens: int
    applied: bool
    why: str

"""Shapes of plans of tasks in JSON."""

from typing import TypedDict

from budget.domain.shapes import Amount


class LackShape(TypedDict):
    """How much of a limit a task misses; all null: a limit that the key may not see."""

    budget_id: str | None
    budget: str | None
    policy_id: str | None
    unit: str | None
    period: str | None
    enforcement: str | None
    warning_threshold: str | None
    action_threshold: str | None
    amount: Amount | None


class ExcludedShape(TypedDict):
    """A model that would not do, and why."""

    model: str
    why: str


class PlannedTaskShape(TypedDict):
    """A task: done by a model, or not done (`model` null). `hold` and `tokens` are of all calls.

    `candidates`: how many models would do.
    """

    id: str
    priority: int
    done: bool
    value: int
    most_value: int
    provider: str | None
    model: str | None
    tier: str | None
    calls: int
    input_tokens: int
    max_output_tokens: int
    hold: str
    tokens: int
    why: str
    lacks: list[LackShape]
    candidates: int
    excluded: list[ExcludedShape]


class PlannedLimitShape(TypedDict):
    """A hard limit that the tasks meet: what is free of it now, and what the plan takes."""

    budget_id: str
    budget: str
    policy_id: str
    partition: dict[str, str | None]
    unit: str
    period: str
    enforcement: str
    warning_threshold: str
    action_threshold: str
    limit: Amount
    free: Amount
    takes: Amount


class PlannedValueShape(TypedDict):
    """What is done of a priority is worth; no other plan can reach more than `at_most`."""

    priority: int
    value: int
    at_most: int


class MovedTaskShape(TypedDict):
    """A task that another model would do; null: it would not be done."""

    id: str
    model_before: str | None
    model: str | None


class OneMoreShape(TypedDict):
    """What one more USD in every limit of money would change."""

    values: list[PlannedValueShape]
    tasks: list[MovedTaskShape]


class PlanShape(TypedDict):
    """The plan that is worth most: of the highest priority first. `is_best`: that is proved."""

    at: str
    is_best: bool
    hold: str
    values: list[PlannedValueShape]
    tasks: list[PlannedTaskShape]
    limits: list[PlannedLimitShape]
    one_more_usd: OneMoreShape | None

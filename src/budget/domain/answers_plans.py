"""Plans of tasks, as values: which model does what, what is not done, and why.

Amounts are in the unit of their limit: nano-USD for `usd`, else counts.
"""

from collections.abc import Mapping
from typing import NamedTuple

from budget.domain.budgets import PolicyTerms


class Lack(NamedTuple):
    """How much of a limit a task misses. `policy` None: the caller may not see the limit, nor how
    much it is.
    """

    policy: PolicyTerms | None
    budget: str | None
    amount: int | None


class PlannedTask(NamedTuple):
    """A task: done by a model, or not done (`model` None). `hold_nanos` and `tokens` are of all its
    calls. `candidates` models would do; `excluded` says of some others why they would not.
    """

    task_id: str
    priority: int
    value: int
    most_value: int
    provider: str | None
    model: str | None
    tier: str | None
    calls: int
    input_tokens: int
    max_output_tokens: int
    hold_nanos: int
    tokens: int
    why: str
    lacks: tuple[Lack, ...] = ()
    candidates: int = 0
    excluded: Mapping[str, str] = {}


class PlannedLimit(NamedTuple):
    """A hard limit that the tasks meet: what is free of it now, and what the plan takes."""

    policy: PolicyTerms
    budget: str
    partition: str
    limit: int
    free: int
    takes: int


class PlannedValue(NamedTuple):
    """What is done of a priority is worth; no other plan can reach more than `at_most`."""

    priority: int
    value: int
    at_most: int


class MovedTask(NamedTuple):
    """A task that would be done by another model, None: not be done."""

    task_id: str
    model_before: str | None
    model: str | None


class OneMore(NamedTuple):
    """What one more USD in every limit of money would change."""

    values: tuple[PlannedValue, ...]
    tasks: tuple[MovedTask, ...]


class Plan(NamedTuple):
    """The plan that is worth most: of the highest priority first. `is_best`: that is proved."""

    at_us: int
    is_best: bool
    hold_nanos: int
    values: tuple[PlannedValue, ...]
    tasks: tuple[PlannedTask, ...]
    limits: tuple[PlannedLimit, ...]
    one_more: OneMore | None

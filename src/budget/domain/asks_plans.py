"""What a caller may write to have tasks planned, as types."""

from collections.abc import Mapping, Sequence
from typing import TypedDict


class TaskAsk(TypedDict, total=False):
    """A task to plan: what it is worth, how large its calls are, and what its model must do.

    `values`: what it is worth by tier or model, where a better one does it better. `project`,
    `requirement` and `attributes` are those that its calls will have, so its limits are theirs.
    """

    id: str
    priority: int
    value: int
    values: Mapping[str, int]
    min_tier: str
    needs: Sequence[str]
    input_tokens: int
    max_output_tokens: int
    calls: int
    models: Sequence[str]
    project: str
    requirement: str
    attributes: Mapping[str, str]


class PlanAsk(TypedDict, total=False):
    """What `plan_tasks` takes: tasks, and which models may do them.

    `models` by name, `providers` for all that they sell; `attributes` are those of every task.
    """

    tasks: Sequence[TaskAsk]
    models: Sequence[str]
    providers: Sequence[str]
    attributes: Mapping[str, str]

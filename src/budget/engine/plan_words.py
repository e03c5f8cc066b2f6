"""Plan words: why a task is planned as it is, in a sentence or two.

Not here: the plan (`planning`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from budget.domain.answers_plans import Lack
from budget.domain.money import format_usd
from budget.domain.wire.parts import amount_text
from budget.engine.task_ways import Candidate, Task


class Lacking(NamedTuple):
    """What a task lacks of a limit; what it needs, and what is free for it."""

    lack: Lack
    needs: int
    free: int


def why_done(task: Task, chosen: Candidate) -> str:
    """Why this model does the task."""
    alike = [one for one in task.candidates if one.value == chosen.value]
    if len(task.candidates) == 1:
        words = "It is the only one of the models asked about that will do."
    elif len(alike) == 1:
        words = f"No other of {len(task.candidates)} models is worth {chosen.value} here."
    elif chosen.hold_nanos <= min(one.hold_nanos for one in alike):
        words = f"It is the cheapest of {len(alike)} models that are worth {chosen.value} here."
    else:
        words = "Cheaper models meet limits that have less room."
    if chosen.value < task.most_value:
        words += (
            f" Another would be worth {task.most_value}, but what that costs more is worth more "
            "elsewhere, or is not there."
        )
    return words


def why_undone(
    task: Task, nearest: Candidate | None, lacking: Sequence[Lacking], *, is_crowded_out: bool
) -> str:
    """Why nothing does the task."""
    if nearest is None:
        reasons = "; ".join(f"{name} {why}" for name, why in list(task.excluded.items())[:3])
        return f"No model will do: {reasons}." if reasons else "No model will do."
    told = (
        f"{nearest.name}, the nearest to fitting, would hold {format_usd(nearest.hold_nanos)} USD"
    )
    if not lacking:
        return f"{told}; what there is room for is worth more otherwise."
    beside = " beside what is worth more" if is_crowded_out else ""
    return f"{told}. There is not enough room{beside}: {'; '.join(map(_lacks, lacking))}."


def _lacks(one: Lacking) -> str:
    policy = one.lack.policy
    if policy is None:
        return "a limit that this key may not see"
    needs, free = amount_text(one.needs, policy.unit), amount_text(one.free, policy.unit)
    return f"{one.lack.budget!r} has {free} {policy.period.text} free and {needs} are needed"

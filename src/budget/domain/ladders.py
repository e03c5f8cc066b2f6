"""Ladders: what a budget has done to calls before they are refused, one step after the other.

    ["gpt-4o-mini", "cheaper", "smaller", "queue", "refuse"]

Not here: which step a call takes (`gateway.degrading`), and whether it may go then (`decide`).
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from budget.domain.errors import InvalidInput

STEPS: Final = ("cheaper", "smaller", "queue", "refuse")
"""The steps that are no names of models."""
MAX_STEPS: Final = 10
STEP: Final = "^[A-Za-z0-9@][A-Za-z0-9._:/@+-]{0,199}$"
"""What a step looks like: the names that providers give their models."""

_is_step: Final = re.compile(STEP[1:-1]).fullmatch

Steps = tuple[str, ...]


class Ladder(NamedTuple):
    """The ladder of a budget that a call has come to.

    `is_hard`: a hard limit refuses the call; else a soft limit is past its action threshold.
    """

    budget_id: str
    steps: Steps
    is_hard: bool


def parse_ladder(value: object, field_name: str = "degrade") -> Steps:
    """Names of models and STEPS, each once, `refuse` last; empty for none. InvalidInput if not."""
    if not isinstance(value, list | tuple):
        raise InvalidInput(field_name, "must be a list of models and steps.", STEPS)
    if len(value) > MAX_STEPS:
        raise InvalidInput(field_name, f"has {len(value)} steps; at most {MAX_STEPS}.")
    steps: list[str] = []
    for number, given in enumerate(value):
        path = f"{field_name}[{number}]"
        if not isinstance(given, str) or _is_step(given) is None:
            raise InvalidInput(path, f"{str(given)[:80]!r} is no model's name and no step.", STEPS)
        if given in steps:
            raise InvalidInput(path, f"{given!r} stands there twice.")
        if "refuse" in steps:
            raise InvalidInput(path, "stands behind refuse, which is the last step.")
        steps.append(given)
    return tuple(steps)


def strictest(ladders: Iterable[Ladder]) -> Ladder | None:
    """The ladder to take where several are come to: of a hard limit, then that which refuses, then
    the shortest; None without any.
    """
    return min(ladders, key=_leniency, default=None)


def _leniency(ladder: Ladder) -> tuple[bool, bool, int, str]:
    return (
        not ladder.is_hard, "refuse" not in ladder.steps, len(ladder.steps), ladder.budget_id
    )  # fmt: skip

"""Rules: what the operator says of runs and of loops, from the environment.

Not here: upstreams (`upstreams`), and what the rules do (`runs`, `loops`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from budget.gateway.loops import USUAL_LIMITS, LoopLimits, read_limits
from budget.gateway.runs import Template, read_templates


@dataclass(frozen=True, slots=True)
class Rules:
    """Templates of runs by name, and what counts as a loop."""

    templates: Mapping[str, Template] = field(default_factory=dict)
    loops: LoopLimits = USUAL_LIMITS


NO_RULES: Final = Rules()
"""No template, and the usual limits of loops."""


def read_rules(env: Mapping[str, str]) -> Rules:
    """The rules; InvalidInput, naming the variable, for what cannot be."""
    return Rules(read_templates(env), read_limits(env))

"""Rules: what the operator says of runs, of loops, of waiting and of asking, from the environment.

Not here: upstreams (`upstreams`), and what the rules do (`runs`, `loops`, `waiting`, `poller`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from budget.gateway.loops import USUAL_LIMITS, LoopLimits, read_limits
from budget.gateway.poller import FIRST_SECONDS, read_first_seconds
from budget.gateway.runs import Template, read_templates
from budget.gateway.waiting import PATIENCE_SECONDS, read_patience


@dataclass(frozen=True, slots=True)
class Rules:
    """Templates of runs by name, what counts as a loop, how long calls wait for others, and when an
    upstream is first asked about what goes on there.
    """

    templates: Mapping[str, Template] = field(default_factory=dict)
    loops: LoopLimits = USUAL_LIMITS
    wait_seconds: int = PATIENCE_SECONDS
    ask_seconds: float = FIRST_SECONDS


NO_RULES: Final = Rules()
"""No template, and the usual limits of loops, of waiting and of asking."""


def read_rules(env: Mapping[str, str]) -> Rules:
    """The rules; InvalidInput, naming the variable, for what cannot be."""
    return Rules(read_templates(env), read_limits(env), read_patience(env), read_first_seconds(env))

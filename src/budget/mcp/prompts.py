"""Prompts: what to ask a model about budgets, with the figures to answer from.

Not here: who asks a model (that is the client's).
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.errors import InvalidInput, NotFound
from budget.domain.json_schemas import words
from budget.domain.windows import to_rfc3339
from budget.mcp.asking import Asking, Guest
from budget.mcp.fields import Field, read_arguments, text
from budget.mcp.tool import prepared
from budget.mcp.tools import find_tool
from budget.mcp.tools.standing import PERIODS

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 365
_DAY_US: Final = 86_400_000_000


class Prompt(NamedTuple):
    """One prompt: its name, its arguments, and what writes it."""

    name: str
    write: Callable[[Asking], Awaitable[str]]
    fields: tuple[Field, ...]

    @property
    def doc(self) -> str:
        """What it is for."""
        return words(self.write.__doc__)


async def _figures(call: Asking, tool: str, given: Mapping[str, Any]) -> Any:
    """What a tool answers."""
    found = find_tool(tool)
    return (await found.run(prepared(found, call.guest, given, call.now_us))).body


def _page(task: str, rules: str, figures: Mapping[str, Any]) -> str:
    """A prompt: what to do, how, and the figures."""
    parts = [
        f"{name}:\n```json\n{json.dumps(value, default=str)}\n```"
        for name, value in figures.items()
    ]
    return "\n\n".join((task, rules, *parts))


_RULES: Final = (
    "Amounts of money are in USD, shares are fractions of 1, times are UTC. Use these figures "
    "alone; where they do not say, write that they do not. Name budgets, components and models as "
    "they are named here."
)


async def budget_analysis(call: Asking) -> str:
    """Analyse spending: where the money goes, what stands out, which limits are at risk."""
    period = call.given.get("period", "daily")
    return _page(
        "Analyse what was spent on language models. Say in this order: (1) the total, and how it "
        "compares with the limits; (2) the three dearest components, models or kinds of task, each "
        "with its share; (3) what stands out or looks wrong; (4) which limits will be reached at "
        "this pace, and when; (5) at most three things to do now, the most useful first.",
        _RULES,
        {
            "Usage": await _figures(call, "budget_get_usage_analytics", _since(call)),
            "Limits": await _figures(call, "budget_get_budget_status", {"period": period}),
            "Forecast": await _figures(call, "budget_forecast", {}),
            "Anomalies": await _figures(call, "budget_get_anomalies", {}),
        },
    )


async def cost_optimization(call: Asking) -> str:
    """Find savings: cheaper models for the dearest calls, with what each change saves."""
    usage = await _figures(call, "budget_get_usage_analytics", _since(call))
    return _page(
        "Find ways to spend less on the same work. For each: what to change, what it saves in USD "
        "a month by these figures, what it may cost in quality, and how to try it safely. Begin "
        "with the largest saving. Do not propose a model whose price is not given here.",
        _RULES,
        {"Usage": usage, "Cheaper models": await _cheaper(call, usage)},
    )


def _since(call: Asking) -> dict[str, str]:
    """The time that usage is looked at: so many days, up to now."""
    days = _number(call.given, "days") if "days" in call.given else USUAL_DAYS
    if days > MOST_DAYS:
        raise InvalidInput("days", f"must be a whole number from 1 to {MOST_DAYS}.")
    return {"start_date": to_rfc3339(call.now_us - days * _DAY_US)}


async def _cheaper(call: Asking, usage: Any) -> dict[str, Any]:
    """What is cheaper than each of the dearest models."""
    found: dict[str, Any] = {}
    for provider, figures in list(usage["providers"].items())[:3]:
        for model in list(figures["models"])[:3]:
            given = {"provider": provider, "model": model}
            try:
                told = await _figures(call, "budget_get_model_recommendations", given)
            except NotFound:
                continue
            found[f"{provider}/{model}"] = told["recommendations"][:5]
    return found


async def model_selection(call: Asking) -> str:
    """Choose a model for a task, within what may be spent on it."""
    given = call.given
    size = _number(given, "input_length"), _number(given, "output_length")
    models = await _figures(
        call,
        "budget_get_model_recommendations",
        {"context_size": size[0], "output_size": size[1], "task_type": "default"},
    )
    return _page(
        f"Choose a model for this task: {given['task_description']}\n"
        f"A call has about {size[0]} input and {size[1]} output tokens, "
        f"{given['usage_frequency']} times a day. At most {given['budget_limit']} USD may be spent "
        f"in a month of 30 days. What matters most: {given['priority_areas']}.\n"
        "Name one model and one to fall back on, with what each costs a month, and why they fit. "
        "If none fits into the money, say so, and what would have to change.",
        _RULES,
        {"Models, the cheapest first": models["recommendations"][:30]},
    )


def _number(given: Mapping[str, Any], name: str) -> int:
    value = str(given[name])
    if not value.isascii() or not value.isdigit() or not 0 < len(value) < 10 or int(value) < 1:
        raise InvalidInput(name, "must be a whole number of at least 1.")
    return int(value)


_PERIOD: Final = text("period", "The period of the limits to look at; daily unless said.", *PERIODS)
_DAYS: Final = text(
    "days", "How many days of usage to look at, up to now: 1 to 365, 30 unless said."
)

PROMPTS: Final = (
    Prompt("budget_analysis", budget_analysis, (_PERIOD, _DAYS)),
    Prompt("cost_optimization", cost_optimization, (_DAYS,)),
    Prompt(
        "model_selection",
        model_selection,
        (
            text("task_description", "What the model is to do.", required=True),
            text("input_length", "Input tokens of a call.", required=True),
            text("output_length", "Output tokens of a call.", required=True),
            text("usage_frequency", "Calls a day.", required=True),
            text("budget_limit", "The most to spend, in USD a month.", required=True),
            text("priority_areas", "What matters most, such as quality or speed.", required=True),
        ),
    ),
)


async def write(name: str, given: Mapping[str, Any], guest: Guest, now_us: int) -> str:
    """A prompt with the guest's figures; NotFound, InvalidInput, or Forbidden without `read`."""
    found = next((one for one in PROMPTS if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in PROMPTS)
        raise NotFound("prompt", name[:80], f"There is no prompt {name[:80]!r}. Prompts: {known}.")
    return await found.write(Asking(guest, read_arguments(found.fields, given), now_us))

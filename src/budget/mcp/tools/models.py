"""Tools of models: what they cost, which are cheaper, and which a call should go to."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from budget.domain.answers import Calculation
from budget.domain.answers_recommendations import Recommendations
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.money import format_usd
from budget.domain.shapes_recommendations import RecommendationShape
from budget.domain.wire.costs import calculation
from budget.domain.wire.parts import money
from budget.domain.wire.prices import price
from budget.domain.wire.recommendations import recommendations
from budget.engine.standing_in import MAKERS
from budget.mcp.answers import (
    CostEstimateShape,
    ModelChoiceShape,
    ModelRecommendationsShape,
    PriceToldShape,
    RoutedShape,
)
from budget.mcp.asking import Asking, Told, blaming
from budget.mcp.fields import text, usd, whole
from budget.mcp.refusing import refused, what_next
from budget.mcp.tool import Tool
from budget.mcp.tools.spending import MADE_FROM, OF_CALLER, OF_MODEL, who

_CONTEXT_SIZE: Final = 4000
_MOST_TOLD: Final = 3
_ROUTE_MADE_FROM: Final = {
    **MADE_FROM, "provider": "default_provider", "model": "default_model",
}  # fmt: skip


async def recommend(call: Asking) -> Told:
    """List models that would do for a call of a size, the cheapest first; with a model, those that
    cost less than it.
    """
    ask = call.only("provider", "model", "task_type", "output_size", "max_cost")
    size = call.given.get("context_size", _CONTEXT_SIZE)
    told = recommendations(await _found(call, {**ask, "context_size": size}))
    chosen = [_choice(one) for one in told["items"]]
    best = None if told["best_match"] is None else _choice(told["best_match"])
    after = (
        "Nothing cheaper is known for a call of this size."
        if not chosen
        else "Check with budget_check_budget, or let budget_route_with_budget_awareness choose."
    )
    body: ModelRecommendationsShape = {
        "provider": call.given.get("provider"),
        "model": call.given.get("model"),
        "task_type": call.given.get("task_type", "default"),
        "context_size": told["context_size"],
        "output_size": told["output_size"],
        "current_cost": told["current_cost"],
        "recommendations": chosen,
        "best_match": best,
        "next": after,
    }
    said = [
        f"{one['provider']}/{one['model']} {one['estimated_cost']} USD a call."
        for one in ([best] if best else []) + [one for one in chosen[:_MOST_TOLD] if one != best]
    ]
    return Told(body, " ".join((*said, after)))


async def _found(call: Asking, ask: Mapping[str, Any]) -> Recommendations:
    """What will do; of the makers of well-known models, where no model or provider is said."""
    if "model" in ask or "provider" in ask:
        return await call.do(call.acts.recommend(**ask))

    async def of(maker: str) -> Recommendations | None:
        try:
            return await call.do(call.acts.recommend(**ask, provider=maker))
        except NotFound:  # these books have no price of its models
            return None

    some = [one for one in await asyncio.gather(*map(of, MAKERS)) if one is not None]
    if not some:
        raise InvalidInput("provider", "is required: the models of no well-known one are priced.")
    items = sorted((item for one in some for item in one.items), key=lambda item: item.cost_nanos)
    return some[0]._replace(items=tuple(items))


def _choice(one: RecommendationShape) -> ModelChoiceShape:
    return {
        "provider": one["provider"],
        "model": one["model"],
        "estimated_cost": one["estimated_cost"],
        "savings": one["savings"],
        "savings_percent": one["savings_percent"],
        "is_known": one["is_known"],
    }


async def route(call: Asking) -> Told:
    """Say which model a call should go to within its budgets: the default one where every limit has
    room, else what may stand in for it, with a warning; none where nothing may be called.
    """
    asked = {name: value for name, value in who(call).items() if name != "tier"}
    ask = {**asked, **call.only("input_tokens", "max_output_tokens", "capability", "priority")}
    for ours, theirs in (("provider", "default_provider"), ("model", "default_model")):
        if theirs in call.given:
            ask[ours] = call.given[theirs]
    if "provider" not in ask and "model" not in ask:
        ask["providers"] = list(MAKERS)
    if call.given.get("input_text"):
        ask["input_text"] = call.given["input_text"]
    elif "input_text" in call.given:
        ask.setdefault("input_tokens", 0)
    with blaming(_ROUTE_MADE_FROM):
        found = await call.do(call.acts.route_model(**ask))
    after = (
        "Hold it with budget_allocate_budget, then call that model."
        if found.allowed
        else "Call no model." if found.refusal is None else what_next(found.refusal)
    )  # fmt: skip
    body: RoutedShape = {
        "allowed": found.allowed,
        "provider": found.provider,
        "model": found.model,
        "tier": found.tier,
        "estimated_cost": money(found.hold_nanos),
        "warnings": list(found.warnings),
        "original_provider": found.original_provider,
        "original_model": found.original_model,
        "is_downgraded": found.is_downgraded,
        "reason": found.why,
        "refusal": None if found.refusal is None else refused(found.refusal),
        "next": after,
    }
    told = f"Use {found.provider}/{found.model}." if found.allowed else "No model may be called."
    return Told(body, " ".join((told, found.why, *found.warnings, after)))


async def get_price(call: Asking) -> Told:
    """Look up what a model costs, in USD per million tokens, where that comes from, and how much
    fits into it.
    """
    ask = call.only("provider", "at")
    told = price(await call.do(call.acts.current_price(call.text("model"), **ask)))
    rates = told["prices"]
    able: Mapping[str, Any] = told.get("capabilities") or {}
    after = "budget_estimate_cost says what a call comes to."
    body: PriceToldShape = {
        "provider": told["provider"],
        "model": told["model"],
        "input_usd_per_million_tokens": rates["input"],
        "output_usd_per_million_tokens": rates["output"],
        "cache_read_usd_per_million_tokens": rates["cache_read"],
        "usd_per_request": rates["request"],
        "source": told["source"],
        "status": told["status"],
        "valid_from": told["starts_at"],
        "context_window": able.get("context_window"),
        "max_output_tokens": able.get("max_output_tokens"),
        "resolved": list(told.get("resolved") or ()),
        "next": after,
    }
    said = f"{told['provider']}/{told['model']}: {rates['input']} USD per million input tokens, "
    return Told(body, f"{said}{rates['output']} per million output tokens ({told['source']}).")


async def estimate_cost(call: Asking) -> Told:
    """Say what a model call would cost: of stated tokens exactly, of a text at most. Nothing is
    held or booked.
    """
    written, output = call.given.get("input_text"), call.given.get("output_tokens")
    if (written is None) == ("input_tokens" not in call.given):
        raise InvalidInput("input_tokens", "is required, or input_text in its place.")
    ask = call.only("provider", "model")
    how, tokens = "stated", call.given.get("input_tokens", 0)
    if written:
        estimate = await call.do(call.acts.estimate(**ask, request=written))
        how, tokens = estimate.how, estimate.input_tokens
    found = await call.do(
        call.acts.calculate(**ask, input_tokens=tokens, output_tokens=output or 0)
    )
    return _estimated(found, how, tokens, output)


def _estimated(found: Calculation, how: str, tokens: int, output: int | None) -> Told:
    costs = calculation(found)
    after = "Hold it with budget_allocate_budget before the call."
    body: CostEstimateShape = {
        "provider": found.provider,
        "model": found.model,
        "input_tokens": tokens,
        "output_tokens": output,
        "how": how,
        "input_cost": costs["input_cost"],
        "output_cost": costs["output_cost"],
        "total_cost": format_usd(found.cost.cost_nanos),
        "next": after,
    }
    return Told(
        body,
        f"{tokens} input and {output or 0} output tokens of {found.provider}/{found.model} cost "
        f"{body['total_cost']} USD. {after}",
    )


MODELS: Final = (
    Tool("budget_get_model_recommendations", "read", recommend, ModelRecommendationsShape,
         (*OF_MODEL, text("task_type", "What the call is for; default unless said."),
          whole("context_size", "Input tokens of the call; 4000 unless said."),
          whole("output_size", "Output tokens of the call."),
          usd("max_cost", "The most that the call may cost.")), "GetModelRecommendations"),
    Tool("budget_route_with_budget_awareness", "spend", route, RoutedShape,
         (text("input_text", "The input of the call."),
          whole("input_tokens", "Input tokens, in place of input_text."),
          whole("max_output_tokens", "The most output tokens that the call may use."),
          text("default_provider", "Who sells the model that is wanted."),
          text("default_model", "The model that is wanted."),
          text("capability", "What the model must be able to do, such as code or vision."),
          whole("priority", "1 low, 5 normal, 8 high, 10 critical."),
          *(one for one in OF_CALLER if one.name != "tier")), "RouteWithBudgetAwareness"),
    Tool("budget_get_price", "read", get_price, PriceToldShape,
         (text("model", "The model.", required=True), OF_MODEL[0],
          text("at", "The instant of the price, RFC 3339; now unless said."))),
    Tool("budget_estimate_cost", "spend", estimate_cost, CostEstimateShape,
         (OF_MODEL[0], text("model", "The model.", required=True),
          whole("input_tokens", "Input tokens of the call."),
          text("input_text", "The input, in place of input_tokens."),
          whole("output_tokens", "Output tokens of the call."))),
)  # fmt: skip
"""The tools."""

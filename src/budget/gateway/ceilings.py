"""Ceilings: the most that one call may cost, as its caller says with `X-Budget-Max-Usd`.

The upstream is told how much that pays for, and no more is ever held. Not here: caps of runs
(`runs`), and limits of budgets (`capping`).
"""

from typing import Final

from budget.domain.answers import Refusal
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.pricing import hold_nanos, output_tokens_affordable
from budget.engine.commands import Place
from budget.gateway.asking import Plan

HEADER: Final = "X-Budget-Max-Usd"
CODE: Final = "call_capped"
SAFE_LIMIT: Final = 4096
"""Every model that writes takes a limit of so many tokens."""


def below(
    plan: Plan, place: Place, max_usd_nanos: int, most_of_model: int | None, now_us: int
) -> Plan | Refusal:
    """The plan of a call that costs no more; the refusal if nothing comes for that money.

    `most_of_model` is what the model can write; None: nobody knows. InvalidInput for a model
    without a price.
    """
    if place.rates is None:
        raise InvalidInput(HEADER, f"cannot be kept: {place.model} has no price.")
    input_tokens, requests = place.input_tokens or 0, place.requests or 1
    tokens = output_tokens_affordable(
        place.rates, input_tokens, max_usd_nanos, requests, place.units
    )
    short = tokens < (0 if plan.most_tokens == 0 else plan.answers)
    too_long = plan.most_tokens is not None and tokens < plan.most_tokens
    if short or (too_long and not plan.may_shrink):
        wanted = 0 if short else plan.most_tokens or 0
        least = hold_nanos(place.rates, input_tokens, wanted, requests, place.units)
        return too_dear(max_usd_nanos, least, now_us)
    plan = plan.below(tokens)
    return plan if _is_safe(plan, tokens, most_of_model) else plan.telling(tokens)


def _is_safe(plan: Plan, tokens: int, most_of_model: int | None) -> bool:
    """Whether the upstream need not be told: it will not write so much, or is cut where it does."""
    if plan.most_tokens is not None:
        return plan.most_tokens <= tokens
    each = tokens // plan.answers
    return each >= most_of_model if most_of_model is not None else each > SAFE_LIMIT


def past_ceiling(tokens: int, now_us: int) -> Refusal:
    """The refusal of output beyond so many tokens."""
    return Refusal(CODE, f"{HEADER} pays for {tokens} tokens of output.", now_us)


def too_dear(max_usd_nanos: int, least_nanos: int, now_us: int) -> Refusal:
    """The refusal of a call that may cost more than its caller allows."""
    return Refusal(
        CODE,
        f"This call may cost {format_usd(least_nanos)} USD, and {HEADER} allows "
        f"{format_usd(max_usd_nanos)} USD. Allow more, or ask for less.",
        now_us,
        unit="usd",
        limit=max_usd_nanos,
        requested=least_nanos,
        shortfall=max(0, least_nanos - max_usd_nanos),
    )

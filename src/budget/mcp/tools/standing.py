"""Tools of how budgets stand: what is spent of which limit now, and where that leads.

Not here: what usage adds up to (`usage`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from budget.domain.answers import BalanceView
from budget.domain.answers_usage import Standing
from budget.domain.budgets import BPS
from budget.domain.money import format_fraction, format_usd
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount, instant, partition_of
from budget.mcp.answers import (
    BudgetLineShape,
    BudgetStatusShape,
    ForecastLineShape,
    ForecastShape,
    TierShape,
)
from budget.mcp.asking import Asking, Told
from budget.mcp.fields import text
from budget.mcp.pace import projected
from budget.mcp.tool import Tool
from budget.mcp.tools.spending import TIERS

PERIODS: Final = (
    "minute", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "total",
    "per_session", "per_task",
)  # fmt: skip
BY_TIER: Final = ("apollo", "rhetor")
"""The components that are told of tiers, as they were by Tekton's Budget."""
_MOST: Final = 200
_MOST_TOLD: Final = 5
_SHARED: Final = ("tier", "provider", "component")


class _Place(NamedTuple):
    """Which balances are told of in one line."""

    budget_id: str
    partition: str
    start_us: int


# --- How they stand ------------------------------------------------------------------------------


async def status(call: Asking) -> Told:
    """Say how budgets stand in a period: spent, held and left of each limit of tokens and money.
    With tier, provider or component: those that calls with these attributes meet.
    """
    period = call.given.get("period", "daily")
    if call.given.get("component") in BY_TIER:
        return await _by_tier(call, period)
    asked = call.only(*_SHARED)
    if asked:
        views = [one for one in await _met(call, asked) if one.policy.period.text == period]
    else:
        page = await call.do(call.acts.standings(period=period, limit=_MOST))
        views = [_whole(one) for one in page.items]
    lines = [_line(some, asked) for some in _together(views)]
    full = [one for one in lines if one["cost_limit_exceeded"] or one["token_limit_exceeded"]]
    after = _with_unseen(
        call,
        "Ask for more with budget_request_top_up, or wait for the reset."
        if full
        else "budget_forecast says where this leads."
        if lines
        else "No limit of this period that this key can see meets such calls; try another period."
        if call.guest.bound
        else "No limit of this period meets such calls; try another period.",
    )
    body: BudgetStatusShape = {
        "success": True, "period": period, "summaries": lines, "next": after,
    }  # fmt: skip
    told = [_said(one) for one in lines[:_MOST_TOLD]]
    more = [f"And {len(lines) - _MOST_TOLD} more."] if len(lines) > _MOST_TOLD else []
    return Told(body, " ".join((*told, *more, after)))


def _with_unseen(call: Asking, told: str) -> str:
    """The same, with what is said to a key that does not see all limits."""
    return f"{told} {call.guest.unseen}".rstrip()


async def _met(call: Asking, attributes: Mapping[str, str]) -> Sequence[BalanceView]:
    return await call.do(call.acts.status(**attributes))


def _whole(one: Standing) -> BalanceView:
    """A policy as a whole; where it is split, its fullest balance."""
    if one.balances > 1 and one.fullest is not None:
        return one.fullest
    return BalanceView(
        one.policy, one.budget, "{}" if one.fullest is None else one.fullest.partition,
        one.window, one.limit, one.spent, one.reserved, one.assumed, one.overrun,
    )  # fmt: skip


def _together(views: Iterable[BalanceView]) -> list[list[BalanceView]]:
    """The balances of the same budget, partition and window, side by side."""
    found: dict[_Place, list[BalanceView]] = {}
    for view in views:
        place = _Place(view.policy.budget_id, view.partition, view.window.start_us)
        found.setdefault(place, []).append(view)
    return list(found.values())


def _line(views: Sequence[BalanceView], asked: Mapping[str, str]) -> BudgetLineShape:
    first = views[0]
    tokens = _tightest(views, "tokens", "input_tokens", "output_tokens")
    cost = _tightest(views, "usd")
    return {
        "budget_id": first.policy.budget_id,
        "budget": first.budget,
        "period": first.policy.period.text,
        "partition": partition_of(first.partition),
        "tier": asked.get("tier"),
        "provider": asked.get("provider"),
        "component": asked.get("component"),
        "tokens_allocated": 0 if tokens is None else tokens.reserved,
        "tokens_used": None if tokens is None else _used(tokens),
        "tokens_remaining": None if tokens is None else tokens.remaining,
        "token_limit": None if tokens is None else tokens.limit,
        "token_usage_percentage": _share(tokens),
        "token_limit_exceeded": _is_over(tokens),
        "cost_allocated": format_usd(0 if cost is None else cost.reserved),
        "cost": None if cost is None else format_usd(_used(cost)),
        "cost_remaining": None if cost is None else format_usd(cost.remaining),
        "cost_limit": None if cost is None else format_usd(cost.limit),
        "cost_usage_percentage": _share(cost),
        "cost_limit_exceeded": _is_over(cost),
        "enforcement": first.policy.enforcement,
        "resets_at": instant(first.window.end_us),
    }


def _tightest(views: Iterable[BalanceView], *units: str) -> BalanceView | None:
    """Of the balances in these units the one of which the least is left."""
    some = [view for view in views if view.policy.unit in units]
    return min(some, key=lambda view: view.remaining, default=None)


def _used(view: BalanceView) -> int:
    return view.spent + view.assumed


def _share(view: BalanceView | None) -> str | None:
    if view is None or not view.limit:
        return None
    return format_fraction(_used(view) * BPS // view.limit)


def _is_over(view: BalanceView | None) -> bool:
    return view is not None and _used(view) > view.limit


def _said(one: BudgetLineShape) -> str:
    parts = []
    if one["cost_limit"] is not None:
        parts.append(
            f"{one['cost']} of {one['cost_limit']} USD spent, {one['cost_allocated']} held"
        )
    if one["token_limit"] is not None:
        parts.append(
            f"{one['tokens_used']} of {one['token_limit']} tokens used, "
            f"{one['tokens_allocated']} held"
        )
    reset = "" if one["resets_at"] is None else f", resets {one['resets_at']}"
    name = f"{one['budget']} ({one['budget_id']}), {one['period']}"
    return f"{name}: {'; '.join(parts) or 'no limit of money or tokens'}{reset}."


# --- By tier -------------------------------------------------------------------------------------


async def _by_tier(call: Asking, period: str) -> Told:
    asked = call.only("provider", "component")
    wanted = [call.given["tier"]] if "tier" in call.given else list(TIERS)
    found = await asyncio.gather(*(_met(call, {**asked, "tier": tier}) for tier in wanted))
    tiers = {
        tier: _tier([one for one in views if one.policy.period.text == period])
        for tier, views in zip(wanted, found, strict=True)
    }
    after = _with_unseen(call, "budget_forecast says where this leads.")
    body: BudgetStatusShape = {"success": True, "period": period, "tiers": tiers, "next": after}
    told = [
        f"{name}: {one['used']} tokens used, limit {one['limit'] or 'none'}."
        for name, one in tiers.items()
    ]
    return Told(body, " ".join((*told, after)))


def _tier(views: Sequence[BalanceView]) -> TierShape:
    tokens = _tightest(views, "tokens")
    return {
        "allocated": 0 if tokens is None else tokens.reserved,
        "used": 0 if tokens is None else _used(tokens),
        "remaining": None if tokens is None else tokens.remaining,
        "limit": None if tokens is None else tokens.limit,
        "usage_percentage": _share(tokens),
        "limit_exceeded": _is_over(tokens),
    }


# --- Where it leads ------------------------------------------------------------------------------


async def forecast(call: Asking) -> Told:
    """Say where each limit will stand at the end of its window, and when it will be reached, if
    spending goes on at the pace of the window so far.
    """
    period, budget_id = call.given.get("period"), call.given.get("budget_id")
    asked = {} if period is None else {"period": period}
    page = await call.do(
        call.acts.standings(**asked, limit=_MOST)
        if budget_id is None
        else call.acts.budget_summary(budget_id, **asked, limit=_MOST)
    )
    lines = sorted((_projected(_whole(one), call.now_us) for one in page.items), key=_soonest)
    soon = [one for one in lines if one["exhausted_at"] is not None]
    after = _with_unseen(
        call,
        "Slow down, use cheaper models (budget_get_model_recommendations), or ask for more "
        "(budget_request_top_up)."
        if soon
        else "At this pace no limit that this key can see is reached before its window ends."
        if call.guest.bound
        else "At this pace no limit is reached before its window ends.",
    )
    body: ForecastShape = {"at": to_rfc3339(call.now_us), "items": lines, "next": after}
    told = [_foretold(one) for one in soon[:_MOST_TOLD]]
    return Told(body, " ".join((*told, after)))


def _soonest(one: ForecastLineShape) -> tuple[bool, str]:
    return one["exhausted_at"] is None, one["exhausted_at"] or one["budget"]


def _projected(view: BalanceView, now_us: int) -> ForecastLineShape:
    unit = view.policy.unit
    line = projected(view.limit, _used(view), view.window, now_us)
    return {
        "budget_id": view.policy.budget_id,
        "budget": view.budget,
        "policy_id": view.policy.policy_id,
        "unit": unit,
        "period": view.policy.period.text,
        "partition": partition_of(view.partition),
        "limit": amount(view.limit, unit),
        "used": amount(_used(view), unit),
        "projected": None if line.at_end is None else amount(line.at_end, unit),
        "window_end": instant(view.window.end_us),
        "exhausted_at": None if line.reached_us is None else to_rfc3339(line.reached_us),
        "sure": line.sure,
    }


def _foretold(one: ForecastLineShape) -> str:
    doubt = "" if one["sure"] else " (early in its window: a rough guess)"
    used, limit = (f"{one[name]} {one['unit']}" for name in ("used", "limit"))
    return (
        f"{one['budget']}, {one['period']}: {used} of {limit} used; reached about "
        f"{one['exhausted_at']}{doubt}."
    )


_PERIOD: Final = text("period", "The period of the limits.", *PERIODS)

STANDING: Final = (
    Tool("budget_get_budget_status", "read", status, BudgetStatusShape,
         (_PERIOD._replace(about="The period of the limits; daily unless said."),
          text("tier", "Limits that calls of this tier meet.", *TIERS),
          text("provider", "Limits that calls to this provider meet."),
          text("component", "Limits that calls of this component meet.")), "GetBudgetStatus"),
    Tool("budget_forecast", "read", forecast, ForecastShape,
         (_PERIOD, text("budget_id", "The limits of this budget alone."))),
)  # fmt: skip
"""The tools."""

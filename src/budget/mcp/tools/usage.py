"""Tools of usage: what calls of a time add up to, by provider, model, component and task."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from budget.domain.answers_usage import Figures, Group, UsageSummary
from budget.domain.money import format_usd
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import instant
from budget.mcp.answers import (
    ProviderSumShape,
    SumShape,
    TimeSeriesShape,
    UsageAnalyticsShape,
)
from budget.mcp.asking import Asking, Told
from budget.mcp.fields import text
from budget.mcp.tool import Tool

PERIODS: Final = ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "total")
_BUCKETS: Final = {
    "hourly": "hour", "daily": "hour", "weekly": "day", "monthly": "day", "quarterly": "week",
    "yearly": "month",
}  # fmt: skip
_FEW_RECORDS: Final = 10
"""Of fewer records no series is told."""
_NOBODY: Final = "unknown"
_SCOPE: Final = ("provider", "model", "component", "task_type", "budget_id")


async def analytics(call: Asking) -> Told:
    """Say what usage adds up to: of this hour, day, week, month, or from start_date to end_date;
    tokens and cost by provider, model, component and task type, and over time.
    """
    period = call.given.get("period", "daily")
    asked = {**call.only(*_SCOPE), **_time(call, period)}

    async def summed(**more: Any) -> UsageSummary:
        return await call.do(call.acts.usage_summary(**asked, **more))

    by_model, by_component, by_task = await asyncio.gather(
        summed(group_by=["provider", "model"], **_bucket(call, period)),
        summed(group_by="component"),
        summed(group_by="task_type"),
    )
    return _told(by_model, by_component, by_task, period, call.given.get("budget_id"))


def _time(call: Asking, period: str) -> dict[str, Any]:
    """The time that is asked about: the dates win over the period."""
    dates = {
        ours: call.given[theirs]
        for ours, theirs in (("since", "start_date"), ("until", "end_date"))
        if theirs in call.given
    }
    return dates or {"period": period}


def _bucket(call: Asking, period: str) -> dict[str, Any]:
    if "start_date" in call.given or "end_date" in call.given:
        return {"bucket": "day"}
    return {"bucket": _BUCKETS[period]} if period in _BUCKETS else {}


def _told(
    by_model: UsageSummary,
    by_component: UsageSummary,
    by_task: UsageSummary,
    period: str,
    budget_id: str | None,
) -> Told:
    total, window = by_model.total, by_model.window
    after = "budget_get_model_recommendations lists cheaper models; budget_forecast looks ahead."
    body: UsageAnalyticsShape = {
        "period": period if by_model.period else "custom",
        "start_date": to_rfc3339(window.start_us),
        "end_date": instant(window.end_us),
        "total_input_tokens": total.input_tokens,
        "total_output_tokens": total.output_tokens,
        "total_tokens": total.input_tokens + total.output_tokens,
        "total_cost": format_usd(total.cost_nanos),
        "record_count": total.records,
        "providers": _providers(by_model.groups),
        "components": _sums(by_component.groups),
        "task_types": _sums(by_task.groups),
        "time_series": _series(by_model),
        "budget_id": budget_id,
        "next": after,
    }
    dearest = [
        f"{'/'.join(part or _NOBODY for part in one.values)} "
        f"{format_usd(one.figures.cost_nanos)} USD"
        for one in by_model.groups[:3]
    ]
    most = f" Dearest: {', '.join(dearest)}." if dearest else ""
    said = (
        f"{total.records} calls used {body['total_tokens']} tokens for {body['total_cost']} USD "
        f"since {body['start_date']}.{most} {after}"
    )
    return Told(body, said)


def _providers(groups: Sequence[Group]) -> dict[str, ProviderSumShape]:
    """Each provider with its models."""
    sums: dict[str, Figures] = {}
    models: dict[str, dict[str, SumShape]] = {}
    for one in groups:
        provider, model = (value or _NOBODY for value in one.values)
        sums[provider] = sums.get(provider, Figures()).plus(one.figures)
        models.setdefault(provider, {})[model] = _sum(one.figures)
    return {name: {**_sum(found), "models": models[name]} for name, found in sums.items()}


def _sums(groups: Sequence[Group]) -> dict[str, SumShape]:
    return {one.values[0] or _NOBODY: _sum(one.figures) for one in groups}


def _sum(found: Figures) -> SumShape:
    return {
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "total_tokens": found.input_tokens + found.output_tokens,
        "cost": format_usd(found.cost_nanos),
        "count": found.records,
    }


def _series(found: UsageSummary) -> TimeSeriesShape | None:
    if found.total.records < _FEW_RECORDS or not found.buckets:
        return None
    parts = found.buckets

    def each(figure: Callable[[Figures], int]) -> list[int]:
        return [figure(one.figures) for one in parts]

    return {
        "labels": [to_rfc3339(one.window.start_us) for one in parts],
        "input_tokens": each(lambda figures: figures.input_tokens),
        "output_tokens": each(lambda figures: figures.output_tokens),
        "costs": [format_usd(one.figures.cost_nanos) for one in parts],
        "counts": each(lambda figures: figures.records),
    }


USAGE: Final = (
    Tool("budget_get_usage_analytics", "read", analytics, UsageAnalyticsShape,
         (text("period", "The time that now is in; daily unless said.", *PERIODS),
          text("provider", "Usage of this provider alone."),
          text("model", "Usage of this model alone."),
          text("component", "Usage of this component alone."),
          text("task_type", "Usage for this alone."),
          text("budget_id", "Usage that this budget meets alone."),
          text("start_date", "From this instant on, RFC 3339, in place of a period."),
          text("end_date", "Until this instant, RFC 3339.")), "GetUsageAnalytics"),
)  # fmt: skip
"""The tools."""

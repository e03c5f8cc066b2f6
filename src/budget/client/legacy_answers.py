"""Answers with the keys that components of Tekton know, made of the values of today."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from budget.domain.answers_routing import Routing
from budget.domain.answers_usage import Figures, Group, Standing, UsageSummary
from budget.domain.budgets import BPS
from budget.domain.money import format_fraction, format_usd
from budget.domain.windows import to_rfc3339

_SERIES_FROM: Final = 10
"""How many records there must be for a series over time."""


def usd(nanos: int | None) -> str | None:
    """Money as a decimal text."""
    return None if nanos is None else format_usd(nanos)


def summary(standing: Standing, scope: Mapping[str, Any]) -> dict[str, Any]:
    """How one limit stands; one that is split, where it is nearest to full."""
    money = standing.policy.unit == "usd"
    of = standing.fullest if standing.partition_by and standing.fullest else standing
    used, limit = of.spent + of.assumed, of.limit
    share = format_fraction(used * BPS // limit) if limit else None
    left, over = max(0, limit - used - of.reserved), used > limit
    return {
        "budget_id": standing.policy.budget_id,
        "tier": scope.get("tier"),
        "provider": scope.get("provider"),
        "component": scope.get("component"),
        "tokens_allocated": None if money else of.reserved,
        "tokens_used": standing.tokens,
        "tokens_remaining": None if money else left,
        "token_limit": None if money else limit,
        "token_usage_percentage": None if money else share,
        "token_limit_exceeded": not money and over,
        "cost": format_usd(standing.cost_nanos),
        "cost_limit": format_usd(limit) if money else None,
        "cost_usage_percentage": share if money else None,
        "cost_limit_exceeded": money and over,
    }


def routed(told: Routing) -> dict[str, Any]:
    """The model to call; None where none may be called."""
    return {
        "allowed": told.allowed,
        "provider": told.provider,
        "model": told.model,
        "warnings": list(told.warnings),
        "original_provider": told.original_provider,
        "original_model": told.original_model,
        "is_downgraded": told.is_downgraded,
    }


def analytics(period: str, told: UsageSummary, by_model: UsageSummary) -> dict[str, Any]:
    """What usage adds up to."""
    providers = _by(told, "provider")
    for group in by_model.groups:
        of, model = group.values
        provider = providers.setdefault(of, _figures(Figures()))
        provider.setdefault("models", {})[model] = _figures(group.figures)
    return {
        "period": period,
        "start_date": to_rfc3339(told.window.start_us),
        "end_date": to_rfc3339(told.window.end_us),
        "total_input_tokens": told.total.input_tokens,
        "total_output_tokens": told.total.output_tokens,
        "total_tokens": told.total.input_tokens + told.total.output_tokens,
        "total_cost": format_usd(told.total.cost_nanos),
        "record_count": told.total.records,
        "providers": providers,
        "components": _by(told, "component"),
        "task_types": _by(told, "task_type"),
        "time_series": _series(told) if told.total.records >= _SERIES_FROM else None,
        "budget_id": None,
    }


def _by(told: UsageSummary, name: str) -> dict[str, dict[str, Any]]:
    groups: Iterable[Group] = told.by.get(name, ())
    return {group.values[0]: _figures(group.figures) for group in groups if group.values[0]}


def _figures(of: Figures) -> dict[str, Any]:
    return {
        "input_tokens": of.input_tokens,
        "output_tokens": of.output_tokens,
        "total_tokens": of.input_tokens + of.output_tokens,
        "cost": format_usd(of.cost_nanos),
        "count": of.records,
    }


def _series(told: UsageSummary) -> dict[str, list[Any]]:
    return {
        "labels": [to_rfc3339(one.window.start_us) for one in told.buckets],
        "input_tokens": [one.figures.input_tokens for one in told.buckets],
        "output_tokens": [one.figures.output_tokens for one in told.buckets],
        "costs": [format_usd(one.figures.cost_nanos) for one in told.buckets],
        "counts": [one.figures.records for one in told.buckets],
    }

"""Contexts in JSON, and what use teaches of holds."""

from collections.abc import Iterable

from budget.domain import shapes_contexts as shapes
from budget.domain.answers_contexts import (
    Context,
    ContextUse,
    Efficiencies,
    Efficiency,
    Exhaustion,
    Hint,
    LearntSize,
    Prediction,
    SeenContext,
    Use,
)
from budget.domain.money import format_fraction, format_usd
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount, money


def context(answer: Context) -> shapes.ContextShape:
    """A context."""
    return {
        "context_id": answer.session,
        "attributes": dict(answer.attributes),
        "first_at": to_rfc3339(answer.first_us),
        "last_at": to_rfc3339(answer.last_us),
        "requests": answer.requests,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "tokens": answer.input_tokens + answer.output_tokens,
        "cost": format_usd(answer.cost_nanos),
        "unpriced": answer.unpriced,
        "allocations": answer.allocations,
        "open_allocations": answer.open_allocations,
        "reserved_tokens": answer.reserved_tokens,
        "allocated_tokens": answer.allocated_tokens,
        "used_tokens": answer.used_tokens,
        "efficiency": _share(answer.efficiency_bps),
        "window_tokens": answer.window_tokens,
        "fill_tokens": answer.fill_tokens,
        "exhaustions": [_exhaustion(one) for one in answer.exhaustions],
        "hints": [_hint(one) for one in answer.hints],
    }


def context_in_full(answer: Context) -> shapes.ContextInFullShape:
    """A context with its calls."""
    return {
        **context(answer),
        "by": [_use_by(one) for one in answer.by],
        "calls": [_use(one) for one in answer.uses],
        "apollo": None if answer.seen is None else seen_context(answer.seen),
        "predictions": [prediction(one) for one in answer.predictions],
    }


def _exhaustion(one: Exhaustion) -> shapes.ExhaustionShape:
    return {
        "of": one.of,
        "unit": one.unit,
        "limit": amount(one.limit, one.unit),
        "used": amount(one.used, one.unit),
        "left": amount(one.left, one.unit),
        "calls_left": one.calls_left,
        "at": None if one.at_us is None else to_rfc3339(one.at_us),
        "policy_id": one.policy_id,
        "budget": one.budget,
    }


def _hint(one: Hint) -> shapes.HintShape:
    return {
        "kind": one.kind,
        "text": one.text,
        "saved_tokens": one.saved_tokens,
        "saved_cost": money(one.saved_nanos),
    }


def _use_by(one: ContextUse) -> shapes.ContextUseShape:
    return {
        "component": one.component,
        "tier": one.tier,
        "task_type": one.task_type,
        "provider": one.provider,
        "model": one.model,
        "requests": one.requests,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost": format_usd(one.cost_nanos),
        "unpriced": one.unpriced,
    }


def _use(one: Use) -> shapes.UseShape:
    return {
        "at": to_rfc3339(one.at_us),
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost": money(one.cost_nanos),
    }


def seen_context(one: SeenContext) -> shapes.SeenContextShape:
    """A context as Apollo sees it."""
    return {
        "context_id": one.context_id,
        "component": one.component,
        "provider": one.provider,
        "model": one.model,
        "task_type": one.task_type,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "total_tokens": one.total_tokens,
        "max_tokens": one.max_tokens,
        "token_utilization": _share(one.utilization_bps),
        "health": one.health,
        "health_score": _share(one.health_bps),
        "updated_at": one.updated_at,
    }


def prediction(one: Prediction) -> shapes.PredictionShape:
    """What Apollo predicts of a context."""
    return {
        "context_id": one.context_id,
        "prediction_id": one.prediction_id,
        "health": one.health,
        "health_score": _share(one.health_bps),
        "total_tokens": one.total_tokens,
        "token_utilization": _share(one.utilization_bps),
        "confidence": _share(one.confidence_bps),
        "predicted_at": one.predicted_at,
    }


def efficiencies(answer: Efficiencies) -> shapes.EfficienciesShape:
    """What was used of what was held."""
    return {
        "group_by": list(answer.group_by),
        "total": _efficiency((), answer.total),
        "groups": [_efficiency(answer.group_by, one) for one in answer.groups],
    }


def _efficiency(keys: tuple[str, ...], one: Efficiency) -> shapes.EfficiencyShape:
    return {
        "attributes": {key: value or None for key, value in zip(keys, one.values, strict=True)},
        "calls": one.calls,
        "allocated_tokens": one.allocated_tokens,
        "used_tokens": one.used_tokens,
        "overrun_tokens": one.overrun_tokens,
        "efficiency": _share(one.efficiency_bps),
    }


def sizes(answer: Iterable[LearntSize]) -> shapes.LearntSizesShape:
    """What was learnt of each kind of calls."""
    return {
        "items": [
            {
                "component": one.component or None,
                "task_type": one.task_type,
                "family": one.family or None,
                "calls": one.calls,
                "quantile_tokens": one.quantile_tokens,
                "tokens": one.tokens,
                "table_tokens": one.table_tokens,
                "least_tokens": one.least_tokens,
                "most_tokens": one.most_tokens,
                "applied": one.applied,
                "why": one.why,
            }
            for one in answer
        ]
    }


def _share(bps: int | None) -> str | None:
    return None if bps is None else format_fraction(bps)

"""Recommendations of models in JSON."""

from typing import Final

from budget.domain.answers_recommendations import Recommendation, Recommendations
from budget.domain.money import format_pico_usd, format_usd
from budget.domain.shapes_recommendations import RecommendationShape, RecommendationsShape

_MTOK: Final = 10**6
_BPS: Final = 10_000


def recommendations(answer: Recommendations) -> RecommendationsShape:
    """Models for a call of a size, the cheapest first."""
    current, best = answer.current, answer.best
    current_nanos = None if current is None else current.cost_nanos
    return {
        "context_size": answer.input_tokens,
        "output_size": answer.output_tokens,
        "current_provider": None if current is None else current.provider,
        "current_model": None if current is None else current.model,
        "current_cost": None if current is None else format_usd(current.cost_nanos),
        "current": None if current is None else _item(current, current_nanos),
        "items": [_item(item, current_nanos) for item in answer.items],
        "best_match": None if best is None else _item(best, current_nanos),
        "alternatives": [_item(item, current_nanos) for item in answer.items if item is not best],
    }


def _item(item: Recommendation, current_nanos: int | None) -> RecommendationShape:
    savings = item.savings_nanos
    return {
        "provider": item.provider,
        "model": item.model,
        "estimated_cost": format_usd(item.cost_nanos),
        "savings": None if savings is None else format_usd(savings),
        "savings_percent": None if savings is None else _percent(savings, current_nanos or 0),
        "input_price": format_pico_usd(item.input_pico * _MTOK),
        "output_price": format_pico_usd(item.output_pico * _MTOK),
        "input_cost_per_token": format_pico_usd(item.input_pico),
        "output_cost_per_token": format_pico_usd(item.output_pico),
        "is_known": item.is_known,
    }


def _percent(part: int, whole: int) -> str:
    """A share in percent, cut to two decimals: 41.66."""
    if not whole:
        return "0.00"
    hundredths = part * _BPS // whole
    return f"{hundredths // 100}.{hundredths % 100:02d}"

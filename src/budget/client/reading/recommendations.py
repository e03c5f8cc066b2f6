"""Recommendations of models read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import nanos, nanos_or_none, pico
from budget.domain.answers_recommendations import Recommendation, Recommendations


def recommendations(shape: Mapping[str, Any]) -> Recommendations:
    """Models for a call of a size."""
    current = None if shape["current"] is None else _item(shape["current"])
    items = tuple(_item(one) for one in shape["items"])
    return Recommendations(shape["context_size"], shape["output_size"], items, current)


def _item(shape: Mapping[str, Any]) -> Recommendation:
    return Recommendation(
        shape["provider"], shape["model"], nanos(shape["estimated_cost"]),
        pico(shape["input_cost_per_token"]), pico(shape["output_cost_per_token"]),
        shape["is_known"], nanos_or_none(shape["savings"]),
    )  # fmt: skip

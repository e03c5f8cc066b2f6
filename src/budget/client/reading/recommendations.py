"""Recommendations of models read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import nanos, nanos_or_none, pico
from budget.domain.answers_recommendations import Recommendation, Recommendations


def recommendations(shape: Mapping[str, Any]) -> Recommendations:
    """Models for a call of a size. Of the current one the rates are not told: they are 0."""
    current = None
    if shape["current_model"] is not None:
        current = Recommendation(
            shape["current_provider"], shape["current_model"], nanos(shape["current_cost"]),
            0, 0, is_known=True,
        )  # fmt: skip
    items = tuple(_item(one) for one in shape["items"])
    return Recommendations(shape["context_size"], shape["output_size"], items, current)


def _item(shape: Mapping[str, Any]) -> Recommendation:
    return Recommendation(
        shape["provider"], shape["model"], nanos(shape["estimated_cost"]),
        pico(shape["input_cost_per_token"]), pico(shape["output_cost_per_token"]),
        shape["is_known"], nanos_or_none(shape["savings"]),
    )  # fmt: skip

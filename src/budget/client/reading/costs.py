"""Costs read: what usage costs, line by line."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import nanos, pico, us
from budget.domain.answers import Calculation
from budget.domain.costs import Cost, CostLine


def calculation(shape: Mapping[str, Any]) -> Calculation:
    """What usage costs."""
    return Calculation(
        shape["provider"],
        shape["model"],
        shape["basis"],
        shape["price_context"] or "",
        us(shape["at"]),
        Cost(
            nanos(shape["total_cost"]),
            tuple(_line(one) for one in shape["lines"]),
            tuple(shape["unpriced"]),
        ),
        tuple(shape["resolved"]),
    )


def _line(shape: Mapping[str, Any]) -> CostLine:
    return CostLine(
        shape["unit"], shape["quantity"], pico(shape["rate"]), pico(shape["amount"]),
        shape["tier_from_tokens"],
    )  # fmt: skip

"""Estimates read: what a request comes to, and what was learnt of bounds."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import nanos_or_none, us
from budget.domain.answers_estimates import Estimate, FamilyFactor


def estimate(shape: Mapping[str, Any]) -> Estimate:
    """A request before its call."""
    factor = shape["factor"]
    return Estimate(
        shape["provider"], shape["model"], shape["family"], shape["input_tokens"], shape["how"],
        shape["bound_tokens"], None if factor is None else _factor_bps(factor),
        shape["max_output_tokens"], us(shape["at"]), shape["basis"],
        nanos_or_none(shape["input_cost"]), nanos_or_none(shape["hold"]),
    )  # fmt: skip


def factors(shape: Mapping[str, Any]) -> list[FamilyFactor]:
    """What was learnt of each family."""
    return [
        FamilyFactor(
            one["family"], _factor_bps(one["factor"]), one["taught_by"], one["own_samples"],
            one["samples"], one["keys"],
        )
        for one in shape["items"]
    ]  # fmt: skip


def _factor_bps(text: str) -> int:
    """A factor in basis points; it may be above 1."""
    whole, _, decimals = text.partition(".")
    return int(whole + decimals.ljust(4, "0"))

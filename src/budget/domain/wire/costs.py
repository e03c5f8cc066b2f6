"""Costs in JSON: what usage costs, line by line."""

from collections.abc import Iterable

from budget.domain.answers import Calculation
from budget.domain.costs import CostLine
from budget.domain.money import format_pico_usd, format_usd
from budget.domain.shapes import CalculationShape, CostLineShape
from budget.domain.windows import to_rfc3339

_OF_OUTPUT = ("output_", "reasoning_")


def calculation(answer: Calculation) -> CalculationShape:
    """What usage costs."""
    lines = answer.cost.lines
    of_output = [line for line in lines if line.unit.startswith(_OF_OUTPUT)]
    of_input = [line for line in lines if line not in of_output]
    return {
        "provider": answer.provider,
        "model": answer.model,
        "resolved": list(answer.resolved),
        "basis": answer.basis,
        "price_context": answer.context or None,
        "at": to_rfc3339(answer.at_us),
        "input_cost": _sum(of_input),
        "output_cost": _sum(of_output),
        "total_cost": format_usd(answer.cost.cost_nanos),
        "lines": [_line(line) for line in lines],
        "unpriced": list(answer.cost.unpriced),
    }


def _sum(lines: Iterable[CostLine]) -> str:
    return format_pico_usd(sum(line.amount_pico for line in lines))


def _line(line: CostLine) -> CostLineShape:
    return {
        "unit": line.unit,
        "quantity": line.quantity,
        "rate": format_pico_usd(line.rate_pico),
        "amount": format_pico_usd(line.amount_pico),
        "tier_from_tokens": line.tier_from_tokens,
    }

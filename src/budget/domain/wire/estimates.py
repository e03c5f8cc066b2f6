"""Estimates in JSON: what a request comes to, and what was learnt of bounds."""

from collections.abc import Iterable

from budget.domain.answers_estimates import Estimate, FamilyFactor
from budget.domain.money import format_fraction, format_usd
from budget.domain.shapes_estimates import EstimateShape, FactorsShape
from budget.domain.windows import to_rfc3339


def estimate(answer: Estimate) -> EstimateShape:
    """A request before its call."""
    return {
        "provider": answer.provider,
        "model": answer.model,
        "family": answer.family,
        "input_tokens": answer.input_tokens,
        "how": answer.how,
        "bound_tokens": answer.bound_tokens,
        "factor": None if answer.factor_bps is None else format_fraction(answer.factor_bps),
        "max_output_tokens": answer.max_output_tokens,
        "at": to_rfc3339(answer.at_us),
        "basis": answer.basis,
        "input_cost": _usd(answer.input_cost_nanos),
        "hold": _usd(answer.hold_nanos),
    }


def factors(answer: Iterable[FamilyFactor]) -> FactorsShape:
    """What was learnt of each family."""
    return {
        "items": [
            {
                "family": one.family,
                "factor": format_fraction(one.factor_bps),
                "taught_by": one.taught_by,
                "own_samples": one.own_samples,
                "samples": one.samples,
                "keys": one.keys,
            }
            for one in answer
        ]
    }


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else format_usd(nanos)

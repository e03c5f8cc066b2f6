"""Which model a call should go to, in JSON."""

from budget.domain.answers_routing import Considered, Routing
from budget.domain.money import format_usd
from budget.domain.shapes_routing import ConsideredShape, RoutingShape
from budget.domain.windows import to_rfc3339
from budget.domain.wire.refusals import refusal


def routing(answer: Routing) -> RoutingShape:
    """The model, why it is that one, and what else was considered."""
    return {
        "allowed": answer.allowed,
        "reason": answer.reason,
        "why": answer.why,
        "provider": answer.provider,
        "model": answer.model,
        "tier": answer.tier,
        "estimated_cost": _usd(answer.hold_nanos),
        "original_provider": answer.original_provider,
        "original_model": answer.original_model,
        "original_cost": _usd(answer.original_hold_nanos),
        "is_downgraded": answer.is_downgraded,
        "input_tokens": answer.input_tokens,
        "max_output_tokens": answer.max_output_tokens,
        "warnings": list(answer.warnings),
        "considered": [_considered(one) for one in answer.considered],
        "refusal": None if answer.refusal is None else refusal(answer.refusal),
        "at": to_rfc3339(answer.at_us),
    }


def _considered(one: Considered) -> ConsideredShape:
    return {
        "provider": one.provider,
        "model": one.model,
        "tier": one.tier,
        "step": one.step,
        "estimated_cost": _usd(one.hold_nanos),
        "fits": one.fits,
        "why": one.why,
    }


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else format_usd(nanos)

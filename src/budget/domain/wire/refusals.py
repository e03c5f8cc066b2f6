"""Refusals in JSON: why a call may not go, with numbers, and what would help."""

from typing import Final

from budget.domain.answers import HiddenLine, Refusal, RefusalLine
from budget.domain.money import ceil_div
from budget.domain.shapes import Amount, RefusalLineShape, RefusalShape
from budget.domain.windows import MAX_US, to_rfc3339
from budget.domain.wire.balances import leg
from budget.domain.wire.parts import amount, amount_text, instant, policy_text

_US_PER_S: Final = 1_000_000
_NOTHING: Final[RefusalLineShape] = {
    "budget": None,
    "budget_id": None,
    "policy": None,
    "policy_id": None,
    "partition": None,
    "unit": None,
    "period": None,
    "enforcement": None,
    "warning_threshold": None,
    "action_threshold": None,
    "window": None,
    "limit": None,
    "spent": None,
    "reserved": None,
    "assumed": None,
    "overrun": None,
    "remaining": None,
    "requested": None,
    "shortfall": None,
    "resets_at": None,
    "retry_after_seconds": None,
    "soon": False,
}


def refusal(answer: Refusal) -> RefusalShape:
    """Why a call may not go, with numbers, and what would help."""
    lines = [refusal_line(line, answer.at_us) for line in answer.every]
    return {
        **(lines[0] if lines else _envelope_line(answer)),
        "code": answer.code,
        "detail": answer.detail,
        "at": to_rfc3339(answer.at_us),
        "provider": answer.provider,
        "model": answer.model,
        "parent_id": answer.parent_id,
        "cheaper": list(answer.cheaper),
        "advice": answer.advice,
        "how_to_raise": f"{_how_to_raise(answer)} {answer.advice}".rstrip(),
        "refused_by": lines,
    }


def refusal_line(line: RefusalLine | HiddenLine, at_us: int) -> RefusalLineShape:
    """One limit that refuses; `at_us` is when it did. Of a hidden one nearly all is null."""
    if isinstance(line, HiddenLine):
        return {
            **_NOTHING,
            "unit": line.unit,
            "resets_at": None if line.resets_us is None else instant(line.resets_us),
            "retry_after_seconds": retry_after_seconds(line.resets_us, at_us),
            "soon": line.soon,
        }
    view, requested, shortfall, resets_us = line
    policy = view.policy
    unit = policy.unit
    return {
        **leg(view),
        "policy": policy_text(policy),
        "requested": amount(requested, unit),
        "shortfall": amount(shortfall, unit),
        "resets_at": None if resets_us is None else instant(resets_us),
        "retry_after_seconds": retry_after_seconds(resets_us, at_us),
        "soon": line.soon,
    }


def retry_after_seconds(resets_us: int | None, at_us: int) -> int | None:
    """Whole seconds until a reset, at least one; None when none is to come."""
    if resets_us is None or resets_us >= MAX_US:
        return None
    return max(1, ceil_div(resets_us - at_us, _US_PER_S))


def _envelope_line(answer: Refusal) -> RefusalLineShape:
    """The figures of an empty envelope, which is no policy; null where nothing is to be told."""
    unit = answer.unit

    def told(value: int | None) -> Amount | None:
        return None if value is None or unit is None else amount(value, unit)

    return {
        **_NOTHING,
        "unit": unit,
        "limit": told(answer.limit),
        "requested": told(answer.requested),
        "shortfall": told(answer.shortfall),
    }


def _how_to_raise(answer: Refusal) -> str:
    if answer.code == "envelope_exhausted" and answer.parent_id is None:
        return "Ask whoever made the envelope to extend it."
    if answer.code == "envelope_exhausted":
        short = amount_text(answer.shortfall or 0, answer.unit or "usd")
        return (
            f"Extend the envelope by at least {short}: "
            f"POST /api/v1/allocations/{answer.parent_id}/extend."
        )
    if answer.code == "call_capped":
        return "Send a larger X-Budget-Max-Usd, or ask for less."
    if answer.code == "model_unpriced" or not answer.every:
        return 'Set the budget\'s "unpriced" to "allow" or to {input, output} prices.'
    others = len(answer.every) - 1
    more = f" {others} more refuse; see refused_by." if others else ""
    first = answer.every[0]
    if isinstance(first, HiddenLine):
        return f"Ask whoever manages that limit to raise it.{more}"
    view, _, shortfall, _ = first
    policy_id = view.policy.policy_id
    return (
        f"Top it up by at least {amount_text(shortfall, view.policy.unit)}: "
        f"POST /api/v1/policies/{policy_id}/top-ups; or ask for that: "
        f"POST /api/v1/budgets/{view.policy.budget_id}/requests; or raise its limit: "
        f"PATCH /api/v1/policies/{policy_id}.{more}"
    )

"""Refusals as tools tell them: what refuses, and what may be done, by which tool."""

from budget.domain import wire
from budget.domain.answers import Refusal
from budget.domain.shapes import RefusalLineShape
from budget.mcp.answers import RefusedShape, RefusingLimitShape

_MOST_CHEAPER = 5


def refused(answer: Refusal) -> RefusedShape:
    """Why a call may not go."""
    told = wire.refusal(answer)
    return {
        "code": told["code"],
        "reason": told["detail"],
        "resets_at": told["resets_at"],
        "retry_after_seconds": told["retry_after_seconds"],
        "cheaper": told["cheaper"],
        "how_to_raise": told["how_to_raise"],
        "refused_by": [_line(one) for one in told["refused_by"]],
    }


def _line(one: RefusalLineShape) -> RefusingLimitShape:
    return {
        "budget": one["budget"],
        "budget_id": one["budget_id"],
        "policy_id": one["policy_id"],
        "unit": one["unit"],
        "period": one["period"],
        "limit": one["limit"],
        "spent": one["spent"],
        "reserved": one["reserved"],
        "requested": one["requested"],
        "shortfall": one["shortfall"],
        "resets_at": one["resets_at"],
    }


def what_next(answer: Refusal) -> str:
    """What whoever is refused may do, the least first."""
    told = wire.refusal(answer)
    steps: list[str] = []
    if told["cheaper"]:
        steps.append(f"Use a cheaper model: {', '.join(told['cheaper'][:_MOST_CHEAPER])}.")
    if told["resets_at"] is not None:
        steps.append(f"Wait {told['retry_after_seconds']} seconds, until {told['resets_at']}.")
    if answer.code == "envelope_exhausted" and answer.parent_id is not None:
        steps.append(f"Extend the envelope: budget_extend, allocation_id {answer.parent_id}.")
    elif answer.code == "model_unpriced":
        steps.append("Use a model with a known price: budget_get_model_recommendations lists some.")
    elif told["budget_id"] is not None:
        short = f'"{told["shortfall"]}"' if told["unit"] == "usd" else told["shortfall"]
        steps.append(
            f"Ask for more: budget_request_top_up, budget_id {told['budget_id']}, amount {short}."
        )
    else:
        steps.append("Ask whoever manages that limit to raise it.")
    return " ".join((*steps, answer.advice)).rstrip()

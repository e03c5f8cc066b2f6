"""The progress of projects in JSON."""

from budget.domain.answers_progress import (
    LimitProgress,
    ProjectProgress,
    RequirementProgress,
    Spent,
)
from budget.domain.money import format_usd
from budget.domain.shapes_progress import (
    LimitProgressShape,
    ProjectProgressShape,
    RequirementProgressShape,
    SpentShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.balances import balance
from budget.domain.wire.parts import amount


def project_progress(answer: ProjectProgress) -> ProjectProgressShape:
    """How a project stands."""
    return {
        "project": answer.project,
        "at": to_rfc3339(answer.at_us),
        "title": answer.title,
        "spent": _spent(answer.spent),
        "limits": [_limit(one) for one in answer.limits],
        "requirements": [_requirement(one) for one in answer.requirements],
        "unassigned": _spent(answer.unassigned),
    }


def _requirement(one: RequirementProgress) -> RequirementProgressShape:
    return {
        "requirement": one.requirement,
        "title": one.title,
        "status": one.status,
        "spent": _spent(one.spent),
        "limits": [_limit(limit) for limit in one.limits],
    }


def _spent(one: Spent) -> SpentShape:
    return {"cost": format_usd(one.cost_nanos), "tokens": one.tokens, "requests": one.requests}


def _limit(one: LimitProgress) -> LimitProgressShape:
    unit = one.balance.policy.unit
    return {
        **balance(one.balance),
        "forecast": None if one.forecast is None else amount(one.forecast, unit),
        "exhausted_at": None if one.exhausted_us is None else to_rfc3339(one.exhausted_us),
    }

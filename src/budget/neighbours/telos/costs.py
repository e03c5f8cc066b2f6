"""Costs: what a project and its requirements have cost, as it is written into their metadata.

Not here: how it is summed (`engine.progress`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from budget.domain.answers import BalanceView
from budget.domain.answers_progress import ProjectProgress, RequirementProgress, Spent
from budget.domain.budgets import BPS, amount_to_json
from budget.domain.errors import NotFound
from budget.domain.money import format_fraction, format_usd
from budget.domain.windows import to_rfc3339
from budget.engine.budget import AsyncBudget

USAGE: Final = "budget_usage"
AS_OF: Final = "as_of"


async def progress_of(budget: AsyncBudget, project: str) -> ProjectProgress | None:
    """How a project stands; None if nothing of it is in the books."""
    try:
        return await budget.project_progress(project)
    except NotFound:
        return None


def usage_of_project(progress: ProjectProgress) -> dict[str, Any]:
    """What its metadata say of it."""
    limits = [one.balance for one in progress.limits]
    return _usage(progress.spent, limits, progress.at_us)


def usage_of(
    requirement: RequirementProgress | None,
    budget_id: str | None,
    progress: ProjectProgress,
) -> dict[str, Any] | None:
    """What the metadata of a requirement say; None: nothing was spent and it limits nothing.

    A requirement that limits all of its project tells how that limit stands.
    """
    spent = requirement.spent if requirement is not None else Spent()
    every = (*progress.limits, *(one for each in progress.requirements for one in each.limits))
    own = () if requirement is None else requirement.limits
    limits = {one.balance: None for one in every if one.balance.policy.budget_id == budget_id}
    limits |= {one.balance: None for one in own}
    if spent == Spent() and not limits:
        return None
    return _usage(spent, limits, progress.at_us)


def _usage(spent: Spent, limits: Iterable[BalanceView], at_us: int) -> dict[str, Any]:
    return {
        "spent_usd": format_usd(spent.cost_nanos),
        "tokens": spent.tokens,
        "requests": spent.requests,
        "limits": [_limit(one) for one in limits],
        AS_OF: to_rfc3339(at_us),
    }


def _limit(view: BalanceView) -> dict[str, Any]:
    unit, used = view.policy.unit, view.spent + view.assumed
    return {
        "unit": unit,
        "period": view.policy.period.text,
        "enforcement": view.policy.enforcement,
        "limit": amount_to_json(view.limit, unit),
        "spent": amount_to_json(used, unit),
        "share": format_fraction(used * BPS // view.limit) if view.limit else None,
    }


def is_news(usage: Mapping[str, Any], there: Any) -> bool:
    """Whether a usage says anything else than what is there, but for when."""
    if not isinstance(there, Mapping):
        return True
    return {**usage, AS_OF: None} != {**there, AS_OF: None}

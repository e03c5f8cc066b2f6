"""Costs: what a project and its requirements have cost, as it is written into their metadata.

Not here: how it is summed (`engine.progress`).
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from budget.domain.answers import BalanceView
from budget.domain.answers_progress import ProjectProgress, RequirementProgress, Spent
from budget.domain.budgets import BPS, amount_to_json
from budget.domain.errors import NotFound
from budget.domain.money import format_fraction, format_usd
from budget.domain.windows import to_rfc3339
from budget.engine.budget import AsyncBudget
from budget.engine.job import Job
from budget.engine.progress import Sums, project_progress, requirements_spent

USAGE: Final = "budget_usage"
AS_OF: Final = "as_of"
REST: Final = 20
"""How many times as long as it took to sum up costs they are not summed up again."""


class Accountant:
    """Sums up what requirements have cost, when anything was spent, and no more than a twentieth of
    the time.
    """

    def __init__(self, budget: AsyncBudget) -> None:
        self._budget = budget
        self._known: dict[str, tuple[Spent, Sums]] = {}
        self._due: dict[str, float] = {}

    async def progress_of(self, project: str) -> ProjectProgress | None:
        """How a project stands; None if nothing of it is in the books."""
        database = self._budget.books.database

        def sums(connection: Connection, total: Spent) -> Sums:
            return self._sums(connection, project, total)

        def read() -> ProjectProgress:
            return project_progress(database, project, sums=sums)

        try:
            return await self._budget.run(Job(read=read))
        except NotFound:
            return None

    def _sums(self, connection: Connection, project: str, total: Spent) -> Sums:
        before, known = self._known.get(project, (None, {}))
        began = time.monotonic()
        if before is not None and (before == total or began < self._due[project]):
            return known
        found = requirements_spent(connection, project)
        now = time.monotonic()
        self._known[project] = total, found
        self._due[project] = now + REST * (now - began)
        return found


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

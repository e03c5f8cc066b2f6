"""Acts about projects: tasks planned within their limits, and how they stand.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers_plans import Plan
from budget.domain.answers_progress import ProjectProgress
from budget.domain.asks_plans import PlanAsk


class ProjectActs(Protocol):
    """The methods."""

    def plan_tasks(self, **ask: Unpack[PlanAsk]) -> Act[Plan]:
        """Say which tasks to do, and with which model each, so that most is gained within the
        limits as they stand: of the highest priority first. Nothing is held.
        """

    def project_progress(self, project: str) -> Act[ProjectProgress]:
        """Say what a project and each requirement of it have cost, and how their limits stand."""

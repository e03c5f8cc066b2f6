"""Calls about projects: tasks planned within their limits, and how they stand."""

from typing import Unpack

from budget.client.reading.plans import plan
from budget.client.reading.progress import project_progress
from budget.client.request import Request, at, get
from budget.client.request import ask as asking
from budget.domain.answers_plans import Plan
from budget.domain.answers_progress import ProjectProgress
from budget.domain.asks_plans import PlanAsk


class ProjectCalls:
    """The methods."""

    def plan_tasks(self, **ask: Unpack[PlanAsk]) -> Request[Plan]:
        return asking("/tasks/plan", plan, ask, patient=True)

    def project_progress(self, project: str) -> Request[ProjectProgress]:
        return get(at("/projects/{}/progress", project), project_progress, patient=True)

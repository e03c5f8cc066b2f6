"""Routes of projects: tasks planned within their limits, and how they stand."""

from typing import Final

from budget.domain.asks_plans import PlanAsk
from budget.domain.shapes_plans import PlanShape
from budget.domain.shapes_progress import ProjectProgressShape
from budget.domain.wire.plans import plan
from budget.domain.wire.progress import project_progress
from budget.engine.jobs import Jobs
from budget.http.calls import act, act_of_key
from budget.http.route import V1, Route

PROJECTS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/tasks/plan", "spend", act_of_key(Jobs.plan_tasks, plan),
          PlanAsk, PlanShape),
    Route("GET", f"{V1}/projects/{{project}}/progress", "read",
          act(Jobs.project_progress, project_progress), answer=ProjectProgressShape),
)  # fmt: skip

"""Project jobs: the methods of the facade that plan tasks and tell how projects stand."""

from typing import Unpack

from budget.domain.answers_plans import Plan
from budget.domain.answers_progress import ProjectProgress
from budget.domain.asks_plans import PlanAsk
from budget.engine import progress
from budget.engine.job import Job, Maker


class ProjectJobs(Maker):
    """The methods."""

    def plan_tasks(self, **ask: Unpack[PlanAsk]) -> Job[Plan]:
        """Say which tasks to do, and with which model each, so that most is gained within the
        limits as they stand: of the highest priority first. Nothing is held.
        """
        database, prices, caller = self.books.database, self.books.prices, self.caller

        def read() -> Plan:
            from budget.engine import planning  # what few ask for, nobody else waits for
            from budget.engine.task_ways import parse_tasks

            tasks = parse_tasks(ask, caller, prices, database.now_us())
            return planning.plan(database, tasks, caller.bound)

        return Job(read=read)

    def project_progress(self, project: str) -> Job[ProjectProgress]:
        """Say what a project and each requirement of it have cost, and how their limits stand."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: progress.project_progress(database, project, bound))

"""Telos as a neighbour: every half minute its projects are looked through, and all brought in step.

Not here: one requirement and its budget (`step`), Telos over HTTP (`shelf`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from budget.domain.answers_progress import ProjectProgress
from budget.engine.budget import AsyncBudget
from budget.engine.callers import Caller
from budget.engine.progress import NOTED_BY, note_of
from budget.neighbours.calling import Line, Unanswered
from budget.neighbours.neighbour import Neighbour
from budget.neighbours.notes import Notes
from budget.neighbours.telos import costs, keeping
from budget.neighbours.telos.keeping import Kept
from budget.neighbours.telos.missing import missed
from budget.neighbours.telos.requirements import METADATA, Requirement, noted_limits, written_limits
from budget.neighbours.telos.shelf import Project, Shelf, mistake
from budget.neighbours.telos.step import IN_FORCE, Step, copied, in_step, withdrawn

ROUND_SECONDS: Final = 30.0
LISTED: Final = "listed"
"""Under which name it is noted which projects there were the last time."""
MAX_TOLD: Final = 500
MOST_NAMED: Final = 3
MAX_NAMED_CHARS: Final = 120

_log = logging.getLogger("budget.neighbours")


class Telos(Neighbour):
    """Telos, while the service runs. `wanted` names projects by id or name; empty: all."""

    name = NOTED_BY

    def __init__(
        self,
        budget: AsyncBudget,
        address: str,
        wanted: Iterable[str] = (),
        every_seconds: float | None = None,
    ) -> None:
        self.address = address
        super().__init__()
        self._budget = budget.acting_as(Caller(NOTED_BY))
        self._notes = Notes(budget, NOTED_BY)
        self._accountant = costs.Accountant(self._budget)
        self._line = Line(NOTED_BY, address, mistake=mistake)
        self._shelf = Shelf(self._line)
        self._wanted = frozenset(wanted)
        self._every_seconds = ROUND_SECONDS if every_seconds is None else every_seconds
        self._noted: dict[str, Any] = {}
        self._unkept: dict[str, Any] = {}
        self._counted: Counter[str] = Counter()
        self._wrong: list[str] = []

    async def run(self) -> None:
        """Look through all, again and again."""
        self._noted = await self._notes.all()
        while True:
            await self.look()
            await asyncio.sleep(self._every_seconds)

    async def leave(self) -> None:
        """Hang up."""
        await self._line.close()

    async def look(self) -> None:
        """Bring every project in step."""
        listed = await self._shelf.projects()
        projects = [one for one in listed if self._is_wanted(one)]
        kept = await keeping.read_kept(self._budget)
        self._counted.clear()
        self._wrong.clear()
        try:
            for project in projects:
                await self._bring(project, [one for one in kept if one.project == project.project])
                await self._keep()
            await self._look_for_gone(listed, kept)
        finally:
            await self._keep()
        asked = {one.project for one in kept if one.is_live and one.requirement is None}
        unknown = asked - {one.project for one in listed}
        names = {name for one in listed for name in one}
        self.contact.went_well(
            projects=len(projects),
            limits=self._counted["limits"],
            wrong=first_few(self._wrong),
            refused=self._counted["refused"] or None,
            unknown_projects=first_few(sorted(unknown)),
            projects_not_there=first_few(sorted(self._wanted - names)),
        )

    def _is_wanted(self, project: Project) -> bool:
        return not self._wanted or bool(self._wanted & {project.project, project.name})

    # --- One project -----------------------------------------------------------------------------

    async def _bring(self, project: Project, kept: Sequence[Kept]) -> None:
        before = self._note_of(note_of(project.project))
        self._note(note_of(project.project), {**before, "name": project.name, "missing": 0})
        requirements = await self._shelf.requirements(project.project)
        found = {one.requirement: one for one in requirements}
        ours = await self._link_ours(project.project, found, kept)
        theirs = {one.requirement: one for one in kept if one.requirement is not None}
        named = {one.budget.budget_id for one in ours.values()}
        steps: dict[str, Step] = {}
        for requirement in requirements:
            of = ours.get(requirement.requirement) or theirs.get(requirement.requirement)
            note = self._note_of(note_of(project.project, requirement.requirement))
            if of is None and requirement.metadata.get("budget_id") in named:
                step = copied(requirement, note)
            else:
                step = await in_step(self._budget, requirement, of, note)
            steps[requirement.requirement] = step
            self._counted["limits"] += step.metadata.get("budget_state") == IN_FORCE
            if step.is_wrong:
                why = step.metadata["budget_error"]
                self._wrong.append(f"{requirement.title} of {project.name}, {why}")
        progress = await self._accountant.progress_of(project.project)
        for requirement in requirements:
            step = steps[requirement.requirement]
            await self._write(requirement, step, progress)
        for one in theirs.values():
            if one.is_live and one.requirement not in found:
                await self._withdraw_if_gone(one)
        if progress is not None:
            await self._write_project(project.project, progress)

    async def _write(
        self, requirement: Requirement, step: Step, progress: ProjectProgress | None
    ) -> None:
        """Write into a requirement what is new of it, then note that they are in step."""
        changes = step.changes(requirement)
        if progress is not None:
            of = (one for one in progress.requirements
                  if one.requirement == requirement.requirement)  # fmt: skip
            budget_id = step.metadata.get("budget_id", requirement.metadata.get("budget_id"))
            usage = costs.usage_of(next(of, None), budget_id, progress)
            if usage is not None and costs.is_news(usage, requirement.metadata.get(costs.USAGE)):
                changes[costs.USAGE] = usage
        if step.said:
            await self._tell(requirement, step.said)
            changes["budget_note"] = " ".join(step.said)[:MAX_TOLD]
        try:
            if changes or step.tags is not None:
                await self._shelf.write(
                    requirement.project, requirement.requirement, changes, step.tags
                )
        except Unanswered as error:
            if error.status is None or error.status >= 500 or error.status == 200:
                raise
            self._counted["refused"] += 1
        self._note(note_of(requirement.project, requirement.requirement), step.note)

    async def _tell(self, requirement: Requirement, said: Iterable[str]) -> None:
        for sentence in said:
            _log.warning("%s", sentence)
        subject = f"{requirement.project}/{requirement.requirement}"
        await keeping.alert(self._budget, subject, " ".join(said)[:MAX_TOLD])

    async def _write_project(self, project: str, progress: ProjectProgress) -> None:
        usage, note = costs.usage_of_project(progress), self._note_of(note_of(project))
        if costs.is_news(usage, note.get(costs.USAGE)):
            await self._shelf.write(project, None, {costs.USAGE: usage})
            self._note(note_of(project), {**note, costs.USAGE: usage})

    # --- Budgets of ours -------------------------------------------------------------------------

    async def _link_ours(
        self, project: str, found: Mapping[str, Requirement], kept: Sequence[Kept]
    ) -> dict[str, Kept]:
        """Budgets of ours by their requirement; what has none yet is given one."""
        linked: dict[str, Kept] = {}
        said = {one.metadata.get("budget_id"): one.requirement for one in found.values()}
        for one in kept:
            if one.requirement is not None:
                continue
            name = f"{note_of(project)}/ours/{one.budget.budget_id}"
            of = self._note_of(name).get("requirement") or said.get(one.budget.budget_id)
            if of is None and one.is_live and one.limits:
                of = await self._ask_for(project, one)
            if of is not None:
                linked[of] = one
                self._note(name, {"requirement": of})
        return linked

    async def _ask_for(self, project: str, one: Kept) -> str:
        """Make the requirement of a budget of ours; its id."""
        metadata = {
            METADATA: {"limits": written_limits(one.limits, {})},
            "budget_id": one.budget.budget_id,
            "budget_state": IN_FORCE,
        }
        text = one.budget.description or "A limit that Budget keeps."
        made = await self._shelf.create(project, one.budget.name, text, metadata)
        note = {"title": one.budget.name, "limits": noted_limits(one.limits)}
        self._note(note_of(project, made), note)
        return made

    # --- What is gone ----------------------------------------------------------------------------

    async def _withdraw_if_gone(self, kept: Kept) -> None:
        """Archive a budget whose requirement was deleted, if Telos says so."""
        assert kept.requirement is not None
        if await self._shelf.is_gone(kept.project, kept.requirement):
            await self._withdraw(kept)

    async def _withdraw(self, kept: Kept) -> None:
        assert kept.requirement is not None
        name = note_of(kept.project, kept.requirement)
        gone = Requirement(kept.project, kept.requirement, kept.budget.name, "", "deleted", (), {})
        step = await withdrawn(self._budget, gone, kept, self._note_of(name))
        if step.said:
            await self._tell(gone, step.said)
        self._note(name, {**step.note, "status": "deleted"})

    async def _look_for_gone(self, listed: Sequence[Project], kept: Sequence[Kept]) -> None:
        """Archive the budgets of projects that were deleted (`missing`); tell which are lost."""
        there = {one.project for one in listed}
        before = frozenset(self._note_of(LISTED).get("projects", ()))
        live = [one for one in kept if one.is_live and one.requirement is not None]
        gone = {one.project for one in live if one.project not in there}
        rounds = {one: self._note_of(note_of(one)).get("missing", 0) for one in gone}
        for project in sorted(gone):
            if (project in before or rounds[project]) and not await self._shelf.is_gone(project):
                there.add(project)
        found = missed(gone - there, before, there, rounds)
        for project, count in found.rounds.items():
            self._note(note_of(project), {**self._note_of(note_of(project)), "missing": count})
        self._note(LISTED, {"projects": sorted(there)})
        self.contact.note(lost_projects=first_few(sorted(map(self._named, found.lost))))
        for one in live:
            if one.project in found.deleted:
                await self._withdraw(one)

    def _named(self, project: str) -> str:
        """A project by the name that it had, if that is known."""
        return str(self._note_of(note_of(project)).get("name") or project)

    # --- Notes -----------------------------------------------------------------------------------

    def _note_of(self, name: str) -> dict[str, Any]:
        return dict(self._noted.get(name) or {})

    def _note(self, name: str, note: Mapping[str, Any]) -> None:
        """Note something, if it is not noted so already; it is kept when the project is done."""
        if self._noted.get(name) != note:
            self._noted[name] = self._unkept[name] = dict(note)

    async def _keep(self) -> None:
        """Keep all that was noted, at once."""
        if self._unkept:
            await self._notes.put_all(self._unkept)
            self._unkept = {}


def first_few(named: Iterable[str]) -> str | None:
    """How many there are, and the first of them, for people; None where there is none."""
    all_of = list(named)
    if not all_of:
        return None
    few = "; ".join(one[:MAX_NAMED_CHARS] for one in all_of[:MOST_NAMED])
    return f"{len(all_of)}: {few}{'; …' if len(all_of) > MOST_NAMED else ''}"

"""The shelf: Telos's projects and requirements, read and written over HTTP.

Whatever is written is read just before, so that nothing of what others wrote there is lost. Not
here: what is written (`step`, `costs`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from budget.neighbours.calling import Line, Unanswered, said_error
from budget.neighbours.telos.requirements import (
    KIND,
    TAG,
    Requirement,
    is_id,
    line,
    read_requirement,
)

PROJECTS: Final = "/api/v1/projects"


def mistake(answer: Any) -> str | None:
    """What an answer of status 200 says went wrong: the `status` of a requirement says nothing."""
    is_thing = isinstance(answer, Mapping) and (
        "requirement_id" in answer or "project_id" in answer
    )
    return None if is_thing else said_error(answer)


class Project(NamedTuple):
    """A project, by id and name."""

    project: str
    name: str


class Shelf:
    """What Telos has."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def projects(self) -> list[Project]:
        """All projects."""
        found = _listed(await self._line.ask("GET", PROJECTS), "projects")
        return [
            Project(one["project_id"], line(one.get("name")))
            for one in found
            if isinstance(one, Mapping) and is_id(one.get("project_id"))
        ]

    async def requirements(self, project: str) -> list[Requirement]:
        """All requirements of a project."""
        found = _listed(await self._line.ask("GET", _path(project) + "/requirements"),
                        "requirements")  # fmt: skip
        read = (read_requirement(project, one) for one in found)
        return [one for one in read if one is not None]

    async def is_gone(self, project: str, requirement: str | None = None) -> bool:
        """Whether Telos says itself that it has no such project, or requirement."""
        try:
            await self._line.ask("GET", _path(project, requirement))
        except Unanswered as error:
            if error.status == 404:
                return True
            raise
        return False

    async def create(self, project: str, title: str, text: str, metadata: Mapping[str, Any]) -> str:
        """Make a constraint; its id."""
        told = await self._line.ask(
            "POST",
            _path(project) + "/requirements",
            {
                "title": title, "description": text, "requirement_type": KIND,
                "priority": "high", "status": "accepted", "tags": [TAG],
                "metadata": dict(metadata), "created_by": "budget",
            },
        )  # fmt: skip
        made = told.get("requirement_id") if isinstance(told, Mapping) else None
        if not is_id(made):
            raise Unanswered("telos made a requirement and did not say which.")
        assert isinstance(made, str)
        return made

    async def write(
        self,
        project: str,
        requirement: str | None,
        metadata: Mapping[str, Any],
        tags: Sequence[str] | None = None,
    ) -> None:
        """Put metadata beside what is there, of a requirement or a project; None takes one away.

        `tags`, if given, take the place of those that are there.
        """
        path = _path(project, requirement)
        there = await self._line.ask("GET", path)
        if not isinstance(there, Mapping):
            raise Unanswered("telos answered, but not with what was asked for.")
        before = there.get("metadata")
        kept = dict(before) if isinstance(before, Mapping) else {}
        body: dict[str, Any] = {"metadata": {**kept, **metadata}}
        if tags is not None:
            body["tags"] = list(tags)
        await self._line.ask("PUT", path, body)


def _path(project: str, requirement: str | None = None) -> str:
    path = f"{PROJECTS}/{quote(project, safe='')}"
    return path if requirement is None else f"{path}/requirements/{quote(requirement, safe='')}"


def _listed(told: Any, name: str) -> list[Any]:
    listed = told.get(name) if isinstance(told, Mapping) else None
    if not isinstance(listed, list):
        raise Unanswered(f"telos answered, but without {name}.")
    return listed

"""Telos, as it answers: projects and their requirements, kept on a disk or forgotten."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.fakes.tekton.component import Asked, Component, Told

Json = dict[str, Any]


class Telos:
    """What it knows; `component` is the server."""

    def __init__(self) -> None:
        self.projects: dict[str, Json] = {}
        self.component = Component(self._answer)

    def forget(self) -> None:
        """Lose everything, as a new disk does."""
        self.projects.clear()

    def make_project(self, name: str = "Atlas") -> str:
        """A project, made by its people; its id."""
        return str(self._create_project({"name": name})[1]["project_id"])

    def require(self, project: str, **given: Any) -> str:
        """A requirement, written by its people; its id."""
        body = {"title": "A limit", "description": "As agreed.", **given}
        status, told = self._create_requirement(self.projects[project], body)
        assert status == 201, told
        return str(told["requirement_id"])

    def requirement(self, project: str, requirement: str) -> Json:
        """A requirement as it is now."""
        found: Json = self.projects[project]["requirements"][requirement]
        return found

    def change(self, project: str, requirement: str, **given: Any) -> None:
        """Change one, as its people do."""
        self._update(self.requirement(project, requirement), given, "requirement_id")

    def writes(self) -> list[str]:
        """The paths that were written to, in order."""
        return [*self.component.paths("PUT"), *self.component.paths("POST")]

    # --- Answers ---------------------------------------------------------------------------------

    def _answer(self, asked: Asked) -> Told:
        parts = asked.path.strip("/").split("/")
        if parts[:3] != ["api", "v1", "projects"]:
            return 404, {"detail": "Not Found"}
        if len(parts) == 3:
            return self._of_all(asked)
        project = self.projects.get(parts[3])
        if project is None:
            return 404, {"detail": f"Project {parts[3]} not found"}
        if len(parts) == 4:
            return self._of_project(asked, project)
        if parts[4] == "plan":
            return 200, {"status": "error", "message": "Prometheus planning engine not available"}
        if parts[4] != "requirements":
            return 404, {"detail": "Not Found"}
        if len(parts) == 5:
            return self._of_requirements(asked, project)
        requirement = project["requirements"].get(parts[5])
        if requirement is None:
            return 404, {"detail": f"Requirement {parts[5]} not found"}
        return self._of_requirement(asked, project, requirement)

    def _of_all(self, asked: Asked) -> Told:
        if asked.method == "POST":
            return self._create_project(asked.body)
        listed = [
            {**_without(one, "requirements", "hierarchy", "metadata"),
             "requirement_count": len(one["requirements"])}
            for one in self.projects.values()
        ]  # fmt: skip
        return 200, {"projects": listed, "count": len(listed)}

    def _of_project(self, asked: Asked, project: Json) -> Told:
        if asked.method == "PUT":
            return self._update(project, asked.body, "project_id")
        if asked.method == "DELETE":
            del self.projects[project["project_id"]]
            return 200, {"success": True, "project_id": project["project_id"]}
        return 200, project

    def _of_requirements(self, asked: Asked, project: Json) -> Told:
        if asked.method == "POST":
            return self._create_requirement(project, asked.body)
        wanted: list[Callable[[Json], bool]] = [
            lambda one, name=name: one[name] == asked.query[name]  # type: ignore[misc]
            for name in ("status", "requirement_type", "priority")
            if name in asked.query
        ]
        found = [
            one for one in project["requirements"].values()
            if all(meets(one) for meets in wanted)
            and ("tag" not in asked.query or asked.query["tag"] in one["tags"])
        ]  # fmt: skip
        return 200, {"requirements": found, "count": len(found)}

    def _of_requirement(self, asked: Asked, project: Json, requirement: Json) -> Told:
        if asked.method == "PUT":
            return self._update(requirement, asked.body, "requirement_id")
        if asked.method == "DELETE":
            del project["requirements"][requirement["requirement_id"]]
            return 200, {"success": True, "requirement_id": requirement["requirement_id"]}
        return 200, requirement

    # --- What it keeps ---------------------------------------------------------------------------

    def _create_project(self, body: Any) -> Told:
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            return _missing("name")
        project_id = str(uuid.uuid4())
        self.projects[project_id] = {
            "project_id": project_id,
            "name": body["name"],
            "description": body.get("description", ""),
            "created_at": time.time(),
            "updated_at": time.time(),
            "metadata": body.get("metadata") or {},
            "requirements": {},
            "hierarchy": {"root": []},
        }
        named = ("project_id", "name", "description", "created_at")
        return 201, {name: self.projects[project_id][name] for name in named}

    def _create_requirement(self, project: Json, body: Any) -> Told:
        for name in ("title", "description"):
            if not isinstance(body, dict) or not isinstance(body.get(name), str):
                return _missing(name)
        requirement_id = str(uuid.uuid4())
        project["requirements"][requirement_id] = {
            "requirement_id": requirement_id,
            "title": body["title"],
            "description": body["description"],
            "requirement_type": body.get("requirement_type", "functional"),
            "priority": body.get("priority", "medium"),
            "status": body.get("status", "new"),
            "tags": body.get("tags") or [],
            "parent_id": body.get("parent_id"),
            "dependencies": body.get("dependencies") or [],
            "metadata": body.get("metadata") or {},
            "created_by": body.get("created_by"),
            "created_at": time.time(),
            "updated_at": time.time(),
            "history": [],
        }
        project["hierarchy"]["root"].append(requirement_id)
        return 201, {
            "project_id": project["project_id"], "requirement_id": requirement_id,
            "title": body["title"], "created_at": time.time(),
        }  # fmt: skip

    def _update(self, thing: Json, body: Any, name: str) -> Told:
        if not isinstance(body, dict):
            return _missing("body")
        known = {key: value for key, value in body.items() if key in thing and key != name}
        thing.update(known)
        thing["updated_at"] = time.time()
        if "history" in thing:
            thing["history"].append({"timestamp": time.time(), "updated": sorted(known)})
        updated: Any = sorted(known) if name == "requirement_id" else known
        return 200, {name: thing[name], "updated": updated, "updated_at": thing["updated_at"]}


def _missing(name: str) -> Told:
    return 422, {"detail": [{"type": "missing", "loc": ["body", name], "msg": "Field required"}]}


def _without(thing: Json, *names: str) -> Json:
    return {key: value for key, value in thing.items() if key not in names}

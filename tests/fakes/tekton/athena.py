"""Athena, as its raw graph API answers: in memory, and lost on a kill unless it was synced.

Its traps are here too: a POST of an id that is there overwrites, a PUT without a source makes it
"system", keys that it does not know are 400, and relationships may lead nowhere.
"""

import copy
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from tests.fakes.tekton.component import Asked, Component, Told

KNOWLEDGE: Final = "/api/v1/knowledge/"
Kept = dict[str, dict[str, Any]]
ENTITY: Final = {"entity_type": "generic", "properties": {}, "confidence": 1.0}
RELATION: Final = {"properties": {}, "confidence": 1.0}


@dataclass
class Graph:
    """What it knows; `disk` is what it will know after a kill. `directed`: paths only go along
    relationships. `refuse` answers in place of a write. A list may be asked for `most_listed`.
    """

    entities: Kept = field(default_factory=dict)
    relations: Kept = field(default_factory=dict)
    disk: tuple[Kept, Kept] = field(default_factory=lambda: ({}, {}))
    directed: bool = True
    refuse: Callable[[Asked], Told | None] | None = None
    synced: int = 0
    most_listed: int = 1_000_000
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Know what was synced, and no more, as after a kill."""
        self.entities, self.relations = copy.deepcopy(self.disk)

    def of(self, entity_type: str) -> dict[str, dict[str, Any]]:
        """The entities of a type."""
        return {key: one for key, one in self.entities.items() if one["entity_type"] == entity_type}

    def links(self, relation_type: str) -> set[tuple[str, str]]:
        """Who is linked with whom by a type of relationship."""
        return {
            (one["source_id"], one["target_id"])
            for one in self.relations.values()
            if one["relationship_type"] == relation_type
        }

    def answer(self, asked: Asked) -> Told:
        """As Athena does."""
        with self._one_at_a_time:
            return self._answer(asked)

    def _answer(self, asked: Asked) -> Told:
        if asked.path in ("/health", "/ready"):
            return 200, {"status": "healthy"}
        if not asked.path.startswith(KNOWLEDGE):
            return (307, {}) if asked.path.startswith("/api/v1/entities") else _missing("Not Found")
        parts = asked.path[len(KNOWLEDGE) :].split("/")
        if "%2f" in asked.path.lower() or "" in parts:
            return _missing("Not Found")
        if asked.method in ("POST", "PUT", "DELETE") and self.refuse is not None:
            told = self.refuse(asked)
            if told is not None:
                return told
        kind, *rest = map(unquote, parts)
        match kind:
            case "entities":
                return self._entities(asked, rest)
            case "relationships":
                return self._relations(asked, rest)
            case "path" if asked.method == "GET":
                return self._path(asked.query)
            case "query" if asked.method == "POST":
                return 200, []
            case "stats" | "status" if asked.method == "GET":
                return 200, {
                    "entity_count": len(self.entities), "relationship_count": len(self.relations),
                    "adapter_type": "memory",
                }  # fmt: skip
            case "sync" if asked.method == "POST":
                self.disk = copy.deepcopy((self.entities, self.relations))
                self.synced += 1
                return 200, {"status": "synced"}
        return _missing("Not Found")

    def _entities(self, asked: Asked, rest: list[str]) -> Told:
        if rest[1:] == ["relationships"] and asked.method == "GET":
            return self._around(rest[0], asked.query)
        if not rest and asked.method == "GET":
            return self._search(asked.query)
        needed = {"name"}
        return _kept(self.entities, "entity", asked, rest, needed, ENTITY, {"aliases": []})

    def _relations(self, asked: Asked, rest: list[str]) -> Told:
        needed = {"relationship_type", "source_id", "target_id"}
        return _kept(self.relations, "relationship", asked, rest, needed, RELATION, {})

    def _search(self, query: Mapping[str, str]) -> Told:
        if "query" not in query:
            return 422, {"detail": [{"loc": ["query", "query"], "msg": "Field required"}]}
        if int(query.get("limit", 10)) > self.most_listed:
            return 422, {"detail": [{"loc": ["query", "limit"], "msg": "too many"}]}
        wanted, kind = query["query"].lower(), query.get("entity_type")
        found = [
            one
            for one in self.entities.values()
            if (wanted == "*" or wanted in one["name"].lower())
            and (not kind or one["entity_type"] == kind)
        ]
        return 200, found[: int(query.get("limit", 10))]

    def _around(self, entity_id: str, query: Mapping[str, str]) -> Told:
        if entity_id not in self.entities:
            return _missing(f"Entity {entity_id} not found")
        kind = query.get("relationship_type")
        return 200, [
            {"relationship": one, "entity": self.entities.get(other)}
            for one, other in self._links(entity_id)
            if not kind or one["relationship_type"] == kind
        ]

    def _links(self, entity_id: str) -> Iterator[tuple[dict[str, Any], str]]:
        for one in self.relations.values():
            if one["source_id"] == entity_id:
                yield one, one["target_id"]
            elif one["target_id"] == entity_id:
                yield one, one["source_id"]

    def _path(self, query: Mapping[str, str]) -> Told:
        source, target = query["source_id"], query["target_id"]
        if source not in self.entities or target not in self.entities:
            return 200, []
        most = int(query.get("max_depth", 3))
        return 200, [list(path) for path in self._paths([source], [], target, most)]

    def _paths(
        self, at: list[str], by: list[dict[str, Any]], target: str, most: int
    ) -> Iterator[list[dict[str, Any]]]:
        """Every way without a loop of so many relationships at most."""
        if at[-1] == target:
            way = [{"type": "entity", "data": self.entities[at[0]]}]
            for relation, entity_id in zip(by, at[1:], strict=True):
                way.append({"type": "relationship", "data": relation})
                way.append({"type": "entity", "data": self.entities[entity_id]})
            yield way
            return
        for one, other in self._links(at[-1]) if len(by) < most else ():
            along = one["source_id"] == at[-1] or not self.directed
            if along and other not in at and other in self.entities:
                yield from self._paths([*at, other], [*by, one], target, most)


def athena(graph: Graph | None = None) -> tuple[Component, Graph]:
    """One that can be run, and what it knows."""
    graph = graph or Graph()
    return Component(graph.answer), graph


def _kept(
    kept: Kept,
    kind: str,
    asked: Asked,
    rest: list[str],
    needed: set[str],
    defaults: Mapping[str, Any],
    more: Mapping[str, Any],
) -> Told:
    """What is answered where things of a kind are made, shown, replaced and taken away."""
    if asked.method in ("POST", "PUT"):
        known = {f"{kind}_id", *needed, *defaults, "source"}
        body = asked.body
        if not isinstance(body, dict) or not needed <= body.keys():
            return 422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}
        if body.keys() - known:
            return 400, {"detail": f"Unknown fields: {sorted(body.keys() - known)}"}
        if not 0 <= body.get("confidence", 1) <= 1:
            return 422, {"detail": [{"loc": ["body", "confidence"], "msg": "must be 0 to 1"}]}
        made = not rest and asked.method == "POST"
        if not made and (asked.method == "POST" or len(rest) != 1):
            return 405, {"detail": "Method Not Allowed"}
        key = body.get(f"{kind}_id") or f"made-{len(kept)}" if made else rest[0]
        if not made and key not in kept:
            return _missing(f"{kind.capitalize()} {key} not found")
        now = time.time()
        kept[key] = {
            **copy.deepcopy(dict(defaults)), "source": "system", **body, f"{kind}_id": key,
            "created_at": now, "updated_at": now, **more,
        }  # fmt: skip
        return 200, {f"{kind}_id": key, "status": "created" if made else "updated"}
    if len(rest) != 1:
        return _missing("Not Found")
    if rest[0] not in kept:
        return _missing(f"{kind.capitalize()} {rest[0]} not found")
    if asked.method == "DELETE":
        del kept[rest[0]]
        return 200, {f"{kind}_id": rest[0], "status": "deleted"}
    return 200, kept[rest[0]]


def _missing(detail: str) -> Told:
    return 404, {"detail": detail}

"""Asking Athena: what is said to it for each thing that is kept, taken away or looked up.

Its raw graph API, without slashes at the end. What is there is replaced with all its fields; what
is there already and is somebody else's is left as it is. Not here: in which order, and what is
tried again (`sending`).
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from budget.neighbours.athena.graph import SHARED, Entity, Relation, Thing, is_relation, is_shared
from budget.neighbours.calling import Line, Unanswered

SOURCE: Final = "budget"
"""By whom our things say that they are."""
API: Final = "/api/v1/knowledge"
LISTED: Final = (100_000, 1000, 100)
"""How many entities a list is asked for: it is not known how many are allowed."""


class Misunderstood(Unanswered):
    """It answered with JSON of a shape that it does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(f"athena answered {what} in a shape that is not its own.", 200)


async def keep(line: Line, thing: Thing, books: str) -> bool:
    """Make a thing be as it should; False where it is somebody else's."""
    if isinstance(thing, Entity) and not thing.shared:
        # Nobody else has such an id, and what is made again is replaced.
        await line.ask("POST", _place(thing), _made(thing, books))
        return True
    there = await look_up(line, thing.id)
    if there is None:
        await line.ask("POST", _place(thing), _made(thing, books))
        return True
    if there.get("source") != SOURCE:
        return False
    await line.ask("PUT", _path(thing.id), _body(thing, books))
    return True


async def drop(line: Line, thing_id: str) -> None:
    """Take a thing away, if it is there and ours."""
    if is_shared(thing_id):
        there = await look_up(line, thing_id)
        if there is None or there.get("source") != SOURCE:
            return
    try:
        await line.ask("DELETE", _path(thing_id))
    except Unanswered as error:
        if error.status != 404:
            raise


async def look_up(line: Line, thing_id: str) -> Mapping[str, Any] | None:
    """A thing as it is there; None if it is not."""
    try:
        there = await line.ask("GET", _path(thing_id))
    except Unanswered as error:
        if error.status == 404:
            return None
        raise
    if not isinstance(there, dict):
        raise Misunderstood("a thing")
    return there


async def relations_of(
    line: Line, entity_id: str, relation_type: str | None = None
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The relations of an entity, either way, each with the entity at its other end."""
    query = {"direction": "both"}
    if relation_type is not None:
        query["relationship_type"] = relation_type
    found = await line.ask("GET", f"{_path(entity_id)}/relationships", query=query)
    if not isinstance(found, list):
        raise Misunderstood("relationships")
    return [
        (one["relationship"], one["entity"])
        for one in found
        if isinstance(one, dict)
        and isinstance(one.get("relationship"), dict)
        and isinstance(one.get("entity"), dict)
    ]


async def paths(
    line: Line, source_id: str, target_id: str, max_depth: int = 3
) -> list[list[Mapping[str, Any]]]:
    """The ways between two entities: entities and relations in turn."""
    query: dict[str, str | int] = {
        "source_id": source_id, "target_id": target_id, "max_depth": max_depth,
    }  # fmt: skip
    found = await line.ask("GET", f"{API}/path", query=query)
    if not isinstance(found, list):
        raise Misunderstood("a path")
    return [
        [one for one in way if isinstance(one, dict) and isinstance(one.get("data"), dict)]
        for way in found
        if isinstance(way, list)
    ]


async def entity_count(line: Line) -> int:
    """How many entities it has, ours and others."""
    told = await line.ask("GET", f"{API}/stats")
    count = told.get("entity_count") if isinstance(told, dict) else None
    if not isinstance(count, int):
        raise Misunderstood("its counts")
    return count


async def ours(line: Line, entity_type: str, books: str) -> list[str]:
    """The ids of its entities of a type that these books made, as far as its search finds them."""
    found: Any = []
    for most in LISTED:
        query: dict[str, str | int] = {"query": "*", "entity_type": entity_type, "limit": most}
        try:
            found = await line.ask("GET", f"{API}/entities", query=query)
            break
        except Unanswered as error:
            if error.status not in (400, 422):
                raise
    if not isinstance(found, list):
        raise Misunderstood("its entities")
    return [
        str(one["entity_id"])
        for one in found
        if isinstance(one, dict)
        and one.get("source") == SOURCE
        and isinstance(one.get("properties"), dict)
        and one["properties"].get("books") == books
    ]


async def sync(line: Line) -> None:
    """Have it keep what it knows, also when it is killed."""
    await line.ask("POST", f"{API}/sync")


def _place(thing: Thing) -> str:
    return f"{API}/{'relationships' if isinstance(thing, Relation) else 'entities'}"


def _path(thing_id: str) -> str:
    kind = "relationships" if is_relation(thing_id) else "entities"
    return f"{API}/{kind}/{quote(thing_id, safe='')}"


def _made(thing: Thing, books: str) -> dict[str, Any]:
    kind = "relationship" if isinstance(thing, Relation) else "entity"
    return {f"{kind}_id": thing.id, **_body(thing, books)}


def _body(thing: Thing, books: str) -> dict[str, Any]:
    """All the fields: one that is left out would be changed to what Athena thinks of itself."""
    own = {"confidence": 1.0, "source": SOURCE}
    if isinstance(thing, Relation):
        return {
            "relationship_type": thing.relation_type,
            "source_id": thing.source_id,
            "target_id": thing.target_id,
            "properties": dict(thing.properties),
            **own,
        }
    of = {} if thing.entity_type in SHARED else {"books": books}
    return {
        "entity_type": thing.entity_type,
        "name": thing.name,
        "properties": {**thing.properties, **of},
        **own,
    }

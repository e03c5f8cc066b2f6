"""Trails: ways through the graph as Athena tells them, from an alert to what caused it.

What it says is another party's word: of entities only ours are taken, names no longer than names
are, and of everything that it did not answer a sentence. Not here: the same way as the books tell
it (`engine.origins`).
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeGuard, get_args

from budget.domain.answers_origins import Graphed, Origin, Waypoint
from budget.domain.attributes import MAX_VALUE_CHARS
from budget.domain.entities import EntityType, RelationType, entity_id, key_of, named
from budget.neighbours.athena import asking
from budget.neighbours.athena.graph import SHARED
from budget.neighbours.calling import Line, Unanswered, noting
from budget.neighbours.neighbour import Contact

MAX_SECONDS: Final = 3.0
"""How long an answer of ours waits for Athena's."""
_TYPES: Final[Mapping[str, EntityType]] = {one: one for one in get_args(EntityType)}
_RELATIONS: Final[Mapping[str, RelationType]] = {one: one for one in get_args(RelationType)}
_ID: Final = re.compile(r"[a-z]{5,9}:[A-Za-z0-9_.:~-]{1,800}")
SOURCE: Final = "athena"


class Linked(NamedTuple):
    """An entity that another one is related to, and what the relation says."""

    entity_id: str
    entity_type: EntityType
    name: str
    relation: RelationType
    properties: Mapping[str, Any]

    @property
    def waypoint(self) -> Waypoint:
        """It, on a way."""
        return Waypoint(self.entity_id, self.entity_type, self.name, self.relation)


async def graphed(line: Line, origin: Origin, contact: Contact) -> Graphed:
    """The way from an alert as Athena tells it, beside that of the books; it raises nothing, and
    how it went is noted on the contact.
    """
    try:
        with noting(contact):
            path = await _in_time(line, origin.alert.alert_id)
    except Unanswered as error:
        if error.status == 404:
            return Graphed(SOURCE, agrees=False, note="It does not know this alert.")
        return Graphed(SOURCE, agrees=False, note=error.detail)
    ours, theirs = _cause(origin.path), _cause(path)
    if ours == theirs:
        return Graphed(SOURCE, agrees=True, path=path)
    leads = " and ".join(theirs.values()) or "nothing"
    return Graphed(SOURCE, agrees=False, path=path, note=f"It leads to {leads}.")


async def _in_time(line: Line, alert_id: str) -> tuple[Waypoint, ...]:
    """`trail`; Unanswered where it takes too long."""
    try:
        async with asyncio.timeout(MAX_SECONDS):
            return await trail(line, alert_id)
    except TimeoutError:
        raise Unanswered("It did not answer in time.") from None


async def trail(line: Line, alert_id: str) -> tuple[Waypoint, ...]:
    """From an alert over its policy and budget to the component that explains it best, and over
    that to the model and provider; as far as Athena knows.
    """
    own_id = entity_id("alert", alert_id)
    around = await linked(line, own_id)
    way = [Waypoint(own_id, "alert", "alert")]
    policy = _first(around, "raised", "policy")
    budget = None
    if policy is not None:
        way.append(policy.waypoint)
        budget = _first(
            await linked(line, policy.entity_id, "governed_by"), "governed_by", "budget"
        )
        way += [] if budget is None else [budget.waypoint]
    anomaly = _first(around, "explains", "anomaly")
    if anomaly is not None:
        way.append(anomaly.waypoint)
    component = _best([one for one in around if one.entity_type == "component"])
    if component is None:
        return tuple(way)
    way.append(component.waypoint._replace(relation="explains" if budget is None else "funds"))
    model_id = await _between(line, component.entity_id, own_id, component.properties.get("model"))
    if model_id is not None:
        model = key_of(model_id)
        way.append(Waypoint(model_id, "model", named("model", model), "spends_on"))
        offers = await linked(line, model_id, "offered_by")
        provider = _first(sorted(offers, key=lambda one: one.name), "offered_by", "provider")
        way += [] if provider is None else [provider.waypoint]
    return tuple(way)


async def linked(line: Line, of: str, relation_type: RelationType | None = None) -> list[Linked]:
    """What an entity is related to; of ours, and by our relations."""
    found = []
    for relation, entity in await asking.relations_of(line, of, relation_type):
        one = _linked(relation, entity)
        if one is not None and relation_type in (None, one.relation):
            found.append(one)
    return found


async def _between(line: Line, component_id: str, alert_id: str, expected: object) -> str | None:
    """The model on the way from a component to an alert: the one that the relation between them
    names, unless ways lead over others alone.
    """
    try:
        ways = await asking.paths(line, component_id, alert_id)
    except Unanswered as error:
        if error.status is None:
            raise
        ways = []
    found = [
        one["data"].get("entity_id")
        for way in ways
        if len(way) == 5  # component, spends_on, model, explains, alert
        for one in way[2:3]
        if one.get("type") == "entity" and one["data"].get("entity_type") == "model"
    ]
    models = [one for one in found if _is_id(one, "model")]
    if _is_id(expected, "model") and (expected in models or not models):
        return expected
    return models[0] if models else None


def _linked(relation: Mapping[str, Any], entity: Mapping[str, Any]) -> Linked | None:
    kind, other_id = _TYPES.get(str(entity.get("entity_type"))), entity.get("entity_id")
    how = _RELATIONS.get(str(relation.get("relationship_type")))
    if kind is None or how is None or not _is_id(other_id, kind):
        return None
    if relation.get("source") != asking.SOURCE:
        return None
    told = relation.get("properties")
    name = named(kind, key_of(other_id)) if kind in SHARED else _line(entity.get("name"))
    about = told if isinstance(told, dict) else {}
    return Linked(other_id, kind, name[:MAX_VALUE_CHARS], how, about)


def _is_id(given: object, kind: EntityType) -> TypeGuard[str]:
    """Whether it looks like an id of ours, of an entity of a type."""
    return isinstance(given, str) and _ID.fullmatch(given) is not None and (
        given.partition(":")[0] == kind
    )  # fmt: skip


def _line(given: object) -> str:
    return "".join(char if char.isprintable() else " " for char in str(given))


def _first(found: Sequence[Linked], relation: RelationType, kind: EntityType) -> Linked | None:
    return next((one for one in found if (one.relation, one.entity_type) == (relation, kind)), None)


def _best(found: Sequence[Linked]) -> Linked | None:
    """The one of the lowest rank."""
    ranks = [(one.properties.get("rank"), one) for one in found if one.relation == "explains"]
    ranked = [(rank, one) for rank, one in ranks if isinstance(rank, int)]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _cause(path: Sequence[Waypoint]) -> dict[str, str]:
    """The component and the model on a way."""
    return {one.entity_type: one.entity_id for one in path if one.entity_type in SHARED[:2]}

"""Questions about the graph of spend, answered by Athena or, where it cannot, from the books.

    told = await answer(budget, "spends_on", "crawler", athena)

For whoever speaks for people who may see everything, such as the assistant of an operator. Not
here: the graph itself (`graph`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from budget.domain.entities import EntityType, RelationType, entity_id
from budget.domain.errors import InvalidInput, NotFound
from budget.engine.budget import AsyncBudget
from budget.neighbours.athena.graph import Entity, Graph, Relation, graph_of
from budget.neighbours.athena.picture import Painter
from budget.neighbours.athena.trails import MAX_SECONDS, SOURCE, linked, trail
from budget.neighbours.calling import Line, Unanswered

Question = Literal["funds", "governs", "spends_on", "came_from"]
"""What funds a component; what governs a budget; what a component spends on; what an alert came
from. The subject is a component's name, or the id of a budget or an alert.
"""

_ASKED: Final[Mapping[str, tuple[EntityType, RelationType]]] = {
    "funds": ("component", "funds"),
    "governs": ("budget", "governed_by"),
    "spends_on": ("component", "spends_on"),
}


class Found(NamedTuple):
    """An entity that answers a question, and what is said of how it does."""

    entity_id: str
    entity_type: str
    name: str
    properties: Mapping[str, Any]


class Answer(NamedTuple):
    """What answers a question, who says so (`athena`, `books`), and why not Athena."""

    source: str
    found: tuple[Found, ...]
    note: str = ""


async def answer(
    budget: AsyncBudget, question: Question, subject: str, line: Line | None = None
) -> Answer:
    """What answers a question; NotFound for a subject that there is not. `line` leads to Athena."""
    if question not in (*_ASKED, "came_from"):
        raise InvalidInput("question", "is not one that can be asked.", (*_ASKED, "came_from"))
    if line is None:
        return Answer("books", await _of_books(budget, question, subject))
    try:
        async with asyncio.timeout(MAX_SECONDS):
            return Answer(SOURCE, await _of_athena(line, question, subject))
    except (Unanswered, TimeoutError) as error:
        note = error.detail if isinstance(error, Unanswered) else "Athena did not answer in time."
        return Answer("books", await _of_books(budget, question, subject), note)


async def _of_athena(line: Line, question: Question, subject: str) -> tuple[Found, ...]:
    if question == "came_from":
        way = await trail(line, subject)
        return tuple(Found(one.entity_id, one.entity_type, one.name, {}) for one in way)
    kind, relation = _ASKED[question]
    found = await linked(line, entity_id(kind, subject), relation)
    told = (Found(one.entity_id, one.entity_type, one.name, one.properties) for one in found)
    return tuple(sorted(told, key=lambda one: one.entity_id))


async def _of_books(budget: AsyncBudget, question: Question, subject: str) -> tuple[Found, ...]:
    if question == "came_from":
        origin = await budget.explain_alert(subject)
        return tuple(Found(one.entity_id, one.entity_type, one.name, {}) for one in origin.path)
    graph = await asyncio.to_thread(lambda: graph_of(Painter(budget.books).picture(usage=True)))
    return _around(graph, *_ASKED[question], subject)


def _around(
    graph: Graph, kind: EntityType, relation: RelationType, subject: str
) -> tuple[Found, ...]:
    own_id = entity_id(kind, subject)
    if own_id not in graph:
        raise NotFound(kind, subject[:80])
    found = []
    for one in graph.values():
        if not isinstance(one, Relation) or one.relation_type != relation:
            continue
        ends = (one.source_id, one.target_id)
        if own_id not in ends:
            continue
        other = graph[ends[0] if ends[1] == own_id else ends[1]]
        assert isinstance(other, Entity), "relations lead from entities to entities"
        found.append(Found(other.entity_id, other.entity_type, other.name, one.properties))
    return tuple(sorted(found, key=lambda one: one.entity_id))

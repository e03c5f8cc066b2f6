"""Trails and questions: answered from the graph, or from the books where Athena is wrong or off."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from budget.domain.answers_origins import Origin
from budget.domain.errors import InvalidInput, NotFound
from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.neighbours.athena.athena import Athena
from budget.neighbours.athena.questions import Question, answer
from budget.neighbours.athena.trails import graphed, trail
from budget.neighbours.calling import Line
from budget.neighbours.neighbour import Contact
from tests.fakes.tekton.component import BROKEN, GARBAGE
from tests.neighbours.athena.conftest import Beside, in_step, until

pytestmark = pytest.mark.anyio

WARN: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}


def spend(books: Books, tokens: int, component: str, model: str = "m") -> None:
    books.record_usage(
        model=model, provider="local", input_tokens=tokens,
        attributes={"component": component, "team": "search"},
    )  # fmt: skip


@pytest.fixture
async def told(books: Books, beside: Beside) -> AsyncIterator[Athena]:
    """Athena, told of an alert that `ranker` caused, and of one more component."""
    books.create_budget(
        name="Search", scope={"team": "search"}, policies=[WARN],
        unpriced={"input": "1", "output": "1"},
    )  # fmt: skip
    spend(books, 50, "ranker", "other/Model")
    spend(books, 250, "crawler")
    spend(books, 600, "ranker")
    async with in_step(books, beside) as athena:
        await until(lambda: bool(beside.graph.links("explains")))
        await until(lambda: athena.contact.state == "working")
        yield athena


def origin(books: Books) -> Origin:
    (alert,) = books.alerts(kind="warning").items
    return books.explain_alert(alert.alert_id)


@pytest.mark.parametrize("directed", [True, False])
async def test_the_way_from_an_alert_is_that_of_the_books(
    books: Books, beside: Beside, told: Athena, directed: bool
) -> None:
    beside.graph.directed = directed
    expected = origin(books)
    way = await trail(told.line, expected.alert.alert_id)
    assert [(one.entity_id, one.relation) for one in way] == [
        (one.entity_id, one.relation) for one in expected.path
    ]
    assert [one.entity_id for one in way[3:]] == [
        "component:ranker", "model:m", "provider:local"
    ]  # fmt: skip
    assert way[1].name == "daily usd warn"
    contact = Contact("failing")
    graph = await graphed(told.line, expected, contact)
    assert contact.state == "working"
    assert (graph.source, graph.agrees, graph.note) == ("athena", True, "")


async def test_a_graph_that_leads_elsewhere_is_told_so(
    books: Books, beside: Beside, told: Athena
) -> None:
    expected = origin(books)
    for one in beside.graph.relations.values():
        if one["relationship_type"] == "explains" and "crawler" in one["source_id"]:
            one["properties"]["rank"] = 0
    graph = await graphed(told.line, expected, Contact())
    assert not graph.agrees
    assert graph.note == "It leads to component:crawler and model:m."
    unknown = expected._replace(alert=books.alerts(status="all").items[0])
    beside.graph.entities.pop(f"alert:{unknown.alert.alert_id}")
    assert (await graphed(told.line, unknown, Contact())).note == "It does not know this alert."


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        (BROKEN, "athena answered 500: Internal Server Error."),
        (GARBAGE, "athena answered, but not in JSON."),
        (lambda _: (200, {"a": 1}),
         "athena answered relationships in a shape that is not its own."),
        (lambda _: (200, [[], {"entity": 5}, {"relationship": {}, "entity": {}}]),
         "It leads to nothing."),
    ],
)  # fmt: skip
async def test_whatever_athena_answers_the_books_are_told(
    books: Books, beside: Beside, fault: Any, note: str
) -> None:
    books.create_budget(name="All", policies=[WARN], unpriced={"input": "1", "output": "1"})
    spend(books, 900, "ranker")
    line = Line("athena", beside.component.url)
    beside.component.fault = fault
    contact = Contact()
    graph = await graphed(line, origin(books), contact)
    assert (graph.agrees, graph.note) == (False, note)
    assert contact.state == ("working" if note.startswith("It leads") else "failing")
    beside.component.fault = None
    assert (await graphed(line, origin(books), contact)).note == "It does not know this alert."
    beside.component.fault = fault
    answered = await answer(AsyncBudget(books.books), "spends_on", "ranker", line)
    if note != "It leads to nothing.":
        assert (answered.source, answered.note) == ("books", note)
        assert [one.entity_id for one in answered.found] == ["model:m"]
    await line.close()


@pytest.mark.parametrize(
    ("question", "subject", "found"),
    [
        ("spends_on", "ranker", ["model:m", "model:model"]),
        ("funds", "crawler", ["budget:{budget}"]),
        ("governs", "{budget}", ["policy:{policy}"]),
        ("came_from", "{alert}", ["alert:{alert}", "policy:{policy}", "budget:{budget}",
                                  "component:ranker", "model:m", "provider:local"]),
    ],
)  # fmt: skip
async def test_questions_have_the_same_answers_from_athena_and_from_the_books(
    books: Books, told: Athena, question: Question, subject: str, found: list[str]
) -> None:
    (budget,) = books.budgets().items
    (alert,) = books.alerts(kind="warning").items
    ids = {
        "budget": budget.budget_id, "policy": budget.policies[0].policy_id,
        "alert": alert.alert_id,
    }  # fmt: skip
    own = AsyncBudget(books.books)
    asked = subject.format(**ids)
    of_athena = await answer(own, question, asked, told.line)
    of_books = await answer(own, question, asked)
    assert (of_athena.source, of_books.source) == ("athena", "books")
    expected = [one.format(**ids) for one in found]
    assert [one.entity_id for one in of_athena.found] == expected
    assert [one.entity_id for one in of_books.found] == expected
    assert [one.properties for one in of_athena.found] == [one.properties for one in of_books.found]
    if question == "spends_on":
        assert [one.properties["cost"] for one in of_books.found] == ["0.60", "0.00005"]


async def test_what_cannot_be_asked_is_said(books: Books) -> None:
    own = AsyncBudget(books.books)
    with pytest.raises(InvalidInput):
        await answer(own, "why", "x")  # type: ignore[arg-type]
    for question, subject in (("funds", "nobody"), ("governs", "x"), ("came_from", "x")):
        with pytest.raises(NotFound):
            await answer(own, question, subject)  # type: ignore[arg-type]


async def test_an_athena_that_hangs_is_not_waited_for(
    books: Books, beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budget.neighbours.athena.trails.MAX_SECONDS", 0.05)
    books.create_budget(name="All", policies=[WARN], unpriced={"input": "1", "output": "1"})
    spend(books, 900, "ranker")
    beside.component.hold = threading.Event()
    line = Line("athena", beside.component.url)
    contact = Contact("working")
    graph = await graphed(line, origin(books), contact)
    assert (graph.agrees, graph.note) == (False, "It did not answer in time.")
    assert (contact.state, contact.last_error) == ("failing", "It did not answer in time.")
    await line.close()


@pytest.mark.parametrize(
    "entity",
    [
        {"entity_id": "component:a\x1b[2J", "entity_type": "component", "name": "a"},
        {"entity_id": "model:a", "entity_type": "component", "name": "a"},
        {"entity_id": 5, "entity_type": "component", "name": "a"},
        {"entity_id": "secret:a", "entity_type": "secret", "name": "a"},
    ],
)
async def test_entities_that_cannot_be_ours_are_not_told(
    beside: Beside, entity: dict[str, Any]
) -> None:
    relation = {
        "relationship_type": "explains", "source": "budget", "properties": {"rank": 1},
    }  # fmt: skip
    beside.component.fault = lambda _: (200, [{"relationship": relation, "entity": entity}])
    line = Line("athena", beside.component.url)
    assert [one.entity_id for one in await trail(line, "alert_1")] == ["alert:alert_1"]
    await line.close()

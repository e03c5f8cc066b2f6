"""The graph of spend: what is made of books, and what is never told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.neighbours.athena.graph import (
    Graph,
    Relation,
    digest,
    graph_of,
    is_relation,
    is_shared,
)
from budget.neighbours.athena.memory import GONE, MAX_GONE, PAGE, UNSURE, Memory
from budget.neighbours.athena.picture import Painter
from budget.neighbours.athena.sending import todo
from budget.neighbours.notes import Notes
from tests.engine.opened import DAY, MINUTE, Clock, open_books
from tests.support.databases import Databases


@pytest.fixture
def books(databases: Databases, clock: Clock) -> Iterator[Books]:
    """On each engine."""
    with open_books(databases.new(), clock) as opened:
        yield opened


WARN: Any = {"unit": "tokens", "period": "daily", "limit": 100, "enforcement": "warn"}


def graph(books: Books) -> Graph:
    return graph_of(Painter(books.books).picture(usage=True))


def use(books: Books, tokens: int, model: str = "m", **attributes: str) -> None:
    books.record_usage(
        model=model, provider="Local", input_tokens=tokens, attributes=attributes
    )  # fmt: skip


def relations(of: Graph) -> set[tuple[str, str, str]]:
    return {
        (one.relation_type, one.source_id, one.target_id)
        for one in of.values()
        if isinstance(one, Relation)
    }


def test_empty_books_make_an_empty_graph(books: Books) -> None:
    assert graph(books) == {}


def test_models_are_the_same_however_they_are_spelled(books: Books) -> None:
    for spelled in ("m", "M", "local/m"):
        use(books, 10, spelled, component="a")
    use(books, 10)
    made = graph(books)
    assert {one for one in relations(made) if one[0] != "explains"} == {
        ("spends_on", "component:a", "model:m"), ("spends_on", "component:~", "model:m"),
        ("offered_by", "model:m", "provider:local"),
    }  # fmt: skip
    (spends,) = (
        one.properties
        for one in made.values()
        if isinstance(one, Relation)
        and (one.relation_type, one.source_id) == ("spends_on", "component:a")
    )  # fmt: skip
    assert (spends["input_tokens"], spends["requests"]) == (30, 3)
    assert made["component:~"][2] == "(no component)"


def test_names_of_keys_are_not_told(books: Books, clock: Clock) -> None:
    books.create_budget(name="By key", scope={"key": "key-of-ann"}, per=["key"], policies=[WARN])
    use(books, 90, key="key-of-ann", component="a")
    for _ in range(6):
        use(books, 300, key="key-of-ann", session="s")
        clock.move(10 * MINUTE)
    use(books, 30_000, key="key-of-ann")
    books.check_alerts()
    kinds = {one.kind for one in books.alerts(status="all").items}
    assert {"warning", "limit"} <= kinds
    made = graph(books)
    assert "key-of-ann" not in json.dumps(list(made.values()))
    assert len([one for one in made if one.startswith("alert:")]) == len(
        books.alerts(status="all").items
    )


def test_what_lies_thirty_days_back_is_not_told(books: Books, clock: Clock) -> None:
    books.create_budget(name="All", policies=[WARN])
    use(books, 90, component="old")
    clock.move(29 * DAY)
    assert ("spends_on", "component:old", "model:m") in relations(graph(books))
    books.check_alerts()
    clock.move(DAY)
    books.check_alerts()
    left = graph(books)
    assert sorted({one.partition(":")[0] for one in left if not is_relation(one)}) == [
        "budget", "policy",
    ]  # fmt: skip


def test_usage_of_a_scope_is_what_its_budget_funds(books: Books) -> None:
    of = books.create_budget(name="Search", scope={"team": "s*", "model": "m"}, policies=[WARN])
    use(books, 1, team="search", component="a")
    use(books, 2, team="ads", component="b")
    use(books, 4, "other", team="search", component="c")
    funds = [one for one in relations(graph(books)) if one[0] == "funds"]
    assert funds == [("funds", f"budget:{of.budget_id}", "component:a")]


def test_a_picture_without_usage_has_that_of_the_one_before(books: Books) -> None:
    painter = Painter(books.books)
    use(books, 10, component="a")
    before = painter.picture(usage=False)  # the first one has it in any case
    use(books, 10, component="b")
    books.create_budget(name="All", policies=[WARN])
    between, after = painter.picture(usage=False), painter.picture(usage=True)
    assert before.spends == between.spends
    assert len(between.budgets) == 1
    assert len(after.spends) == 2


def test_what_is_done_is_what_differs_in_an_order_that_leaves_nothing_hanging(books: Books) -> None:
    books.create_budget(name="All", policies=[WARN])
    made = graph(books)
    work = todo(made, {})
    assert [isinstance(one, str) or is_relation(one.id) for one in work] == [False, False, True]
    sent = {key: digest(one) for key, one in made.items()}
    assert todo(made, sent) == []
    away = todo({}, {**sent, "component:x": GONE, "component:theirs": "*"})
    assert away == sorted(made, key=lambda key: not is_relation(key))
    policy = next(key for key in made if key.startswith("policy:"))
    assert todo(made, {**sent, policy: UNSURE}) == [made[policy]]
    assert is_shared("model:m")
    assert not is_shared(policy)


@pytest.mark.anyio
async def test_memory_is_noted_in_pages_and_recalled(books: Books) -> None:
    notes = Notes(AsyncBudget(books.books), "athena")
    first = Memory(notes)
    await first.recall()
    for n in range(PAGE + 1):
        first.put(f"budget:{n}", "d")
    first.put("relation:funds:1", "d")
    await first.note(revision=3, synced=False)
    again = Memory(notes)
    await again.recall()
    assert (again.books, again.revision, again.synced) == (first.books, 3, False)
    assert again.sent == first.sent
    assert again.count() == (PAGE + 1, 1)
    assert sorted(await notes.all("sent.")) == ["sent.0", "sent.1"]
    for n in range(PAGE):
        again.put(f"budget:{n}", GONE)
    for n in range(MAX_GONE):
        again.put(f"policy:{n}", GONE)
    await again.note()
    last = Memory(notes)
    await last.recall()
    assert last.sent == again.sent
    assert sum(one == GONE for one in last.sent.values()) == MAX_GONE
    assert "budget:0" not in last.sent
    assert "sent.0" not in await notes.all("sent.")

"""Athena is kept in step with the books, whatever happens to it."""

import itertools
import threading
from typing import Any

import pytest

from budget.domain import cursors
from budget.engine.budget import Budget as Books
from budget.neighbours.athena.athena import Athena
from tests.engine.opened import Clock
from tests.fakes.tekton.component import BROKEN, GARBAGE, Asked, Told
from tests.neighbours.athena.conftest import Beside, in_step, until

pytestmark = pytest.mark.anyio

WARN: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}


def spend(books: Books, tokens: int, component: str, **more: str) -> None:
    books.record_usage(
        model="m", provider="local", input_tokens=tokens,
        attributes={"component": component, **more},
    )  # fmt: skip


async def test_what_the_books_hold_is_told_as_it_comes(
    books: Books, clock: Clock, beside: Beside
) -> None:
    graph = beside.graph
    budget = books.create_budget(name="Search", scope={"team": "search"}, policies=[WARN])
    (policy,) = budget.policies
    own, ruled = f"budget:{budget.budget_id}", f"policy:{policy.policy_id}"
    spend(books, 300, "crawler", team="search")
    spend(books, 100, "crawler")
    async with in_step(books, beside) as athena:
        await until(lambda: ("component:crawler", "model:m") in graph.links("spends_on"))
        await until(lambda: athena.contact.state == "working")
        assert graph.links("governed_by") == {(own, ruled)}
        assert graph.links("funds") == {(own, "component:crawler")}
        assert graph.links("offered_by") == {("model:m", "provider:local")}
        assert graph.entities[own]["name"] == "Search"
        told = graph.entities[ruled]["properties"]
        assert (told["limit"], told["spent"], told["unit"]) == ("1.00", "0.30", "usd")
        (spends,) = (
            one["properties"]
            for one in graph.relations.values()
            if one["relationship_type"] == "spends_on"
        )
        assert (spends["cost"], spends["requests"], spends["input_tokens"]) == ("0.40", 2, 400)
        spend(books, 600, "ranker", team="search")  # 0.90 of 1: a warning
        (alert,) = books.alerts().items
        raised = f"alert:{alert.alert_id}"
        await until(lambda: len(graph.links("explains")) == 3)
        assert graph.links("raised") == {(ruled, raised)}
        assert graph.links("explains") == {
            ("component:ranker", raised), ("component:crawler", raised), ("model:m", raised),
        }  # fmt: skip
        books.archive_budget(budget.budget_id)
        await until(lambda: own not in graph.entities and ruled not in graph.entities)
        await until(lambda: not graph.links("funds"))
        await settled(beside, athena)
        assert raised in graph.entities
        archived = books.events(kind="budget_archived").items[0].cursor
        await until(lambda: athena.read_to == cursors.encode(archived))


# --- Losses --------------------------------------------------------------------------------------


async def settled(beside: Beside, athena: Athena) -> None:
    """Until all that there is was sent, and Athena has kept it."""
    await until(
        lambda: (
            athena.contact.state == "working"
            and bool(beside.graph.entities)
            and beside.graph.disk[0].keys() == beside.graph.entities.keys()
            and beside.graph.disk[1].keys() == beside.graph.relations.keys()
        )
    )


async def test_what_was_synced_outlives_a_kill_and_is_not_sent_again(
    books: Books, beside: Beside
) -> None:
    books.create_budget(name="All", policies=[WARN])
    async with in_step(books, beside) as athena:
        await settled(beside, athena)
    known = beside.graph.entities.keys()
    beside.kill()
    assert beside.graph.entities.keys() == known
    beside.component.start()
    posted = len(beside.component.paths("POST"))
    async with in_step(books, beside) as athena:
        await until(lambda: athena.contact.state == "working")
    assert len(beside.component.paths("POST")) == posted


@pytest.mark.parametrize("when", ["running", "stopped"])
async def test_what_a_kill_before_a_sync_has_lost_is_sent_again(
    books: Books, beside: Beside, when: str
) -> None:
    books.create_budget(name="One", policies=[WARN])
    async with in_step(books, beside) as athena:
        await settled(beside, athena)
    beside.graph.refuse = lambda asked: (500, {}) if asked.path.endswith("/sync") else None
    other = books.create_budget(name="Two", policies=[WARN])
    own = f"budget:{other.budget_id}"
    async with in_step(books, beside) as athena:
        await until(lambda: own in beside.graph.entities)
        await until(lambda: athena.contact.state == "failing")
        if when == "running":
            beside.kill()
            assert own not in beside.graph.entities
            beside.graph.refuse = None
            beside.component.start()
            await settled(beside, athena)
            assert own in beside.graph.entities
    if when == "stopped":
        beside.kill()
        beside.graph.refuse = None
        beside.component.start()
        async with in_step(books, beside) as athena:
            await until(lambda: own in beside.graph.entities)
            await settled(beside, athena)
    assert len(beside.graph.of("budget")) == len(beside.graph.of("policy")) == 2


async def test_one_that_has_forgotten_everything_is_told_everything(
    books: Books, clock: Clock, beside: Beside
) -> None:
    books.create_budget(name="All", policies=[WARN])
    spend(books, 900, "crawler")
    async with in_step(books, beside) as athena:
        await until(lambda: bool(beside.graph.links("explains")))
        await settled(beside, athena)
        entities, relations = set(beside.graph.entities), set(beside.graph.relations)
        beside.graph.disk = ({}, {})
        beside.kill()
        beside.component.start()
        await until(lambda: set(beside.graph.entities) == entities)
        await until(lambda: set(beside.graph.relations) == relations)


async def test_entities_that_somebody_took_away_come_back(books: Books, beside: Beside) -> None:
    budget = books.create_budget(name="All", policies=[WARN])
    own = f"budget:{budget.budget_id}"
    async with in_step(books, beside) as athena:
        await settled(beside, athena)
        del beside.graph.entities[own]
        await until(lambda: own in beside.graph.entities)


async def test_what_was_taken_away_and_came_back_by_a_kill_is_taken_away_again(
    books: Books, beside: Beside
) -> None:
    budget = books.create_budget(name="All", policies=[WARN])
    own = f"budget:{budget.budget_id}"
    async with in_step(books, beside) as athena:
        await settled(beside, athena)
        before = beside.graph.disk
        books.archive_budget(budget.budget_id)
        await until(lambda: own not in beside.graph.entities)
        await settled(beside, athena)
        beside.graph.disk = before
        beside.kill()
        assert own in beside.graph.entities
        beside.component.start()
        await until(lambda: own not in beside.graph.entities)
        await until(lambda: not beside.graph.relations)


async def test_entities_of_these_books_that_nobody_remembers_are_taken_away(
    books: Books, beside: Beside
) -> None:
    """As after a copy of the books was put in force."""
    books.create_budget(name="All", policies=[WARN])
    async with in_step(books, beside) as athena:
        await settled(beside, athena)
    (mark,) = beside.graph.of("ledger").values()
    theirs = {"properties": {"books": "another"}, "source": "budget"}
    ours = {"properties": {"books": mark["properties"]["books"]}, "source": "budget"}
    of_budget = {"entity_type": "budget", "name": "x"}
    beside.graph.entities["budget:lost"] = {"entity_id": "budget:lost", **of_budget, **ours}
    beside.graph.entities["budget:theirs"] = {"entity_id": "budget:theirs", **of_budget, **theirs}
    beside.graph.relations["relation:funds:1"] = {
        "relationship_id": "relation:funds:1", "relationship_type": "funds",
        "source_id": "budget:lost", "target_id": "budget:theirs", "source": "budget",
    }  # fmt: skip
    mark["properties"]["revision"] = 1000
    beside.graph.most_listed = 100
    async with in_step(books, beside) as athena:
        await until(lambda: "budget:lost" not in beside.graph.entities)
        await until(lambda: "relation:funds:1" not in beside.graph.relations)
        await settled(beside, athena)
    assert "budget:theirs" in beside.graph.entities


async def test_what_is_somebody_elses_is_left_as_it_is(books: Books, beside: Beside) -> None:
    theirs = {
        "entity_id": "component:crawler", "entity_type": "component", "name": "The crawler",
        "properties": {"version": 2}, "source": "hermes",
    }  # fmt: skip
    beside.graph.entities["component:crawler"] = dict(theirs)
    spend(books, 100, "crawler")
    async with in_step(books, beside) as athena:
        await until(lambda: ("component:crawler", "model:m") in beside.graph.links("spends_on"))
        await settled(beside, athena)
        assert beside.graph.entities["component:crawler"] == theirs
    (record,) = books.usage_records().items
    books.correct(record.usage_id, reason="never made")
    async with in_step(books, beside) as athena:
        await until(lambda: "model:m" not in beside.graph.entities)
        await settled(beside, athena)
    assert beside.graph.entities["component:crawler"] == theirs


async def test_two_nodes_that_are_both_told_of_it_do_not_send_everything_in_turn(
    books: Books, beside: Beside
) -> None:
    books.create_budget(name="One", policies=[WARN])
    async with in_step(books, beside) as one:
        await settled(beside, one)
        async with in_step(books, beside) as other:
            await settled(beside, other)
            budget = books.create_budget(name="Two", policies=[WARN])
            await until(lambda: f"budget:{budget.budget_id}" in beside.graph.entities)
            await until(lambda: one.contact.facts == other.contact.facts)
            await settled(beside, one)
            before = len(beside.component.paths("POST"))
            looked = len(beside.component.paths("GET"))
            await until(lambda: len(beside.component.paths("GET")) > looked + 20)
            assert len(beside.component.paths("POST")) <= before + 12
    assert len(beside.graph.of("budget")) == 2


# --- Failures ------------------------------------------------------------------------------------


async def test_one_that_refuses_half_of_what_it_is_sent_ends_in_step(
    books: Books, beside: Beside
) -> None:
    count, lock = itertools.count(), threading.Lock()

    def every_other(_: Asked) -> Told | None:
        with lock:
            return (500, {"detail": "Internal Server Error"}) if next(count) % 2 else None

    beside.graph.refuse = every_other
    for n in range(8):
        books.create_budget(name=f"B{n}", policies=[WARN])
        spend(books, 10, f"c{n}")
    async with in_step(books, beside) as athena:
        await until(lambda: len(beside.graph.of("component")) == 8)
        await until(lambda: len(beside.graph.links("governed_by")) == 8)
        await until(lambda: athena.contact.state == "working")
        await settled(beside, athena)
    assert len(beside.graph.of("budget")) == len(beside.graph.of("policy")) == 8
    assert len(beside.graph.links("spends_on")) == 8
    assert len(beside.graph.links("funds")) == 64
    assert len(beside.graph.relations) == 8 + 8 + 64 + 1


async def test_one_thing_that_is_refused_keeps_no_other_back(books: Books, beside: Beside) -> None:
    bad = books.create_budget(name="Bad", policies=[WARN])
    good = books.create_budget(name="Good", policies=[WARN])

    def refuse(asked: Asked) -> Told | None:
        named = isinstance(asked.body, dict) and asked.body.get("name") == "Bad"
        return (400, {"detail": "Not that name"}) if named else None

    beside.graph.refuse = refuse
    async with in_step(books, beside) as athena:
        await until(lambda: f"budget:{good.budget_id}" in beside.graph.entities)
        await until(lambda: athena.contact.state == "failing")
        assert athena.contact.last_error == "athena answered 400: Not that name."
        books.change_budget(bad.budget_id, name="Better")
        await until(lambda: f"budget:{bad.budget_id}" in beside.graph.entities)
        await until(lambda: athena.contact.state == "working")


@pytest.mark.parametrize("how", ["garbage", "broken", "says error", "cut", "down"])
async def test_after_whatever_failure_it_is_in_step_again(
    books: Books, beside: Beside, how: str
) -> None:
    component = beside.component
    async with in_step(books, beside) as athena:
        await until(lambda: athena.contact.state == "working")
        match how:
            case "garbage":
                component.fault = GARBAGE
            case "broken":
                component.fault = BROKEN
            case "says error":
                component.fault = lambda _: (200, {"status": "error", "message": "no graph"})
            case "cut":
                component.cut = True
            case _:
                component.stop()
        budget = books.create_budget(name="All", policies=[WARN])
        await until(lambda: athena.contact.state == "failing")
        component.fault, component.cut = None, False
        if how == "down":
            component.start()
        await until(lambda: f"budget:{budget.budget_id}" in beside.graph.entities)
        await until(lambda: athena.contact.state == "working")
        assert len(beside.graph.of("budget")) == 1

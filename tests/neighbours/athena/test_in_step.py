"""Athena is kept in step with the books, whatever happens to it."""

import asyncio
from typing import Any

import pytest

from budget.engine.budget import Budget as Books
from tests.engine.opened import MINUTE, Clock
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
        await until(lambda: ("component:ranker", raised) in graph.links("explains"))
        assert graph.links("raised") == {(ruled, raised)}
        assert graph.links("explains") == {
            ("component:ranker", raised), ("component:crawler", raised), ("model:m", raised),
        }  # fmt: skip
        books.archive_budget(budget.budget_id)
        await until(lambda: own not in graph.entities and ruled not in graph.entities)
        await until(lambda: not graph.links("funds"))
        assert raised in graph.entities
    assert graph.disk[0].keys() == graph.entities.keys()

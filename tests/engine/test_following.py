"""Following in-process: each event once, in order, from a cursor or from now on."""

import asyncio
from typing import Any

import pytest

from budget.domain import cursors
from budget.domain.errors import InvalidInput
from budget.engine.budget import AsyncBudget, Budget
from tests.support.databases import SqliteDatabases


def spend(budget: Budget, times: int) -> None:
    for _ in range(times):
        budget.record_usage(provider="acme", model="m-1", input_tokens=1, cost="0.01")


def test_events_come_once_and_in_order_from_now_on(sqlite_databases: SqliteDatabases) -> None:
    with Budget.open(sqlite_databases.new()) as budget:
        spend(budget, 1)
        followed = budget.follow()
        spend(budget, 3)
        told = [next(followed) for _ in range(3)]
        assert {one.kind for one in told} == {"reported"}
        assert [one.cursor for one in told] == sorted({one.cursor for one in told})
        spend(budget, 1)
        assert next(followed).cursor > told[-1].cursor
        resumed = budget.follow(after=told[0].cursor)
        assert [next(resumed) for _ in range(2)] == told[1:]
        by_text = budget.follow(after=cursors.encode(told[1].cursor))
        assert next(by_text) == told[2]


def test_only_what_is_wanted_is_told(sqlite_databases: SqliteDatabases) -> None:
    with Budget.open(sqlite_databases.new()) as budget:
        followed = budget.follow(topics=["budget_events"])
        spend(budget, 2)
        made = budget.create_budget(
            name="A", policies=[{"unit": "usd", "period": "daily", "limit": "5"}]
        )
        event = next(followed)
        assert (event.kind, event.budget_id) == ("budget_created", made.budget_id)


def test_an_event_loop_follows_too(sqlite_databases: SqliteDatabases) -> None:
    async def follow() -> None:
        budget = await AsyncBudget.open(sqlite_databases.new())
        try:
            usage: Any = {"provider": "acme", "model": "m-1", "input_tokens": 1, "cost": "0.01"}
            await budget.record_usage(**usage)
            first = (await budget.events()).items[0]
            followed = budget.follow(after=first.cursor)
            await budget.record_usage(**usage)
            event = await anext(followed)
            assert event.kind == "reported"
            assert event.cursor > first.cursor
        finally:
            await budget.close()

    asyncio.run(follow())


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"topics": ["nope"]}, "topics"),
        ({"topics": "budget_events"}, "topics"),
        ({"kinds": []}, "kinds"),
        ({"after": "nope"}, "after"),
        ({"after": -1}, "after"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_what_is_wrong_is_said_at_once(
    sqlite_databases: SqliteDatabases, asked: Any, field: str
) -> None:
    with Budget.open(sqlite_databases.new()) as budget, pytest.raises(InvalidInput) as refused:
        budget.follow(**asked)
    assert refused.value.field == field

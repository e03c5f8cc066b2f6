"""Apollo is told of what happens, in order, once each, and nothing is skipped on the way."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.windows import to_rfc3339
from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.neighbours.apollo import neighbour as apollo
from budget.neighbours.apollo.neighbour import Apollo
from budget.neighbours.company import Company
from budget.neighbours.known import Setup
from budget.neighbours.notes import Notes
from tests.engine.opened import DAY, HOUR, PRICES, Clock
from tests.fakes.tekton.apollo import FakeApollo, context
from tests.fakes.tekton.component import BROKEN, GARBAGE, Component, running
from tests.support.databases import Databases

pytestmark = pytest.mark.anyio

WHO: Any = {"context_id": "ctx-1", "component": "rhetor", "task_type": "chat"}


@pytest.fixture
def fake() -> FakeApollo:
    return FakeApollo()


@pytest.fixture
def component(fake: FakeApollo) -> Iterator[Component]:
    with running(fake.component()) as one:
        yield one


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr("budget.neighbours.apollo.telling.LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Apollo, "most_pause_seconds", 0.02)


@contextlib.asynccontextmanager
async def in_touch(books: Books, component: Component) -> AsyncIterator[Apollo]:
    """Apollo while it is told, from where it was left."""
    env = {"BUDGET_APOLLO_URL": component.url}
    one = Apollo(Setup(env, AsyncBudget(books), "http://127.0.0.1:8013", 8013, "test"))
    company = Company([one])
    company.start()
    try:
        await until(lambda: one.contact.state == "working" or one.contact.last_error is not None)
        yield one
    finally:
        await company.close()


async def until(enough: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not enough():  # noqa: ASYNC110 - the fake answers in threads of its own
            await asyncio.sleep(0.005)


def works(one: Apollo) -> Callable[[], bool]:
    return lambda: one.contact.state == "working"


async def begun(books: Books, component: Component) -> None:
    """Have the place noted from which on Apollo is told."""
    async with in_touch(books, component) as one:
        await until(works(one))
        notes = Notes(AsyncBudget(books), "apollo")
        async with asyncio.timeout(20):
            while await notes.get("cursor") is None:  # noqa: ASYNC110 - kept by a writer's thread
                await asyncio.sleep(0.005)


async def test_a_hold_is_allocated_and_its_use_an_update(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    budget = AsyncBudget(books)
    await begun(books, component)
    held: Any = await budget.allocate(**WHO, tier="remote_heavyweight", priority=8, model="m")
    await budget.settle(held.allocation_id, input_tokens=900, output_tokens=100)
    await budget.allocate(component="nobody")  # of no context: Apollo keeps allocations by context
    async with in_touch(books, component):
        await until(lambda: len(fake.messages) == 2)
    allocated, updated = fake.messages
    assert allocated["type"] == "budget.allocated"
    assert (allocated["source"], allocated["priority"]) == ("budget", 5)
    assert allocated["context_id"] == "ctx-1"
    told = allocated["payload"]
    assert (told["component"], told["task_type"], told["tier"]) == (
        "rhetor", "chat", "remote_heavyweight",
    )  # fmt: skip
    assert (told["allocated_tokens"], told["priority"]) == (8000, 8)  # chat, high
    assert updated["type"] == "budget.updated"
    assert updated["payload"]["status"] == "settled"
    assert (updated["payload"]["input_tokens"], updated["payload"]["output_tokens"]) == (900, 100)
    assert updated["payload"]["cost"] == "1.10"  # 900 x 0.001 and 100 x 0.002
    assert updated["correlation_id"] > allocated["correlation_id"]


async def test_updates_of_a_context_that_come_together_are_one(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    budget = AsyncBudget(books)
    await begun(books, component)
    for tokens in (10, 20, 30):
        await budget.record_usage(**WHO, model="m", input_tokens=tokens)
    await budget.record_usage(context_id="ctx-2", model="m", input_tokens=5)
    async with in_touch(books, component):
        await until(lambda: len(fake.messages) == 2)
    assert [(one["context_id"], one["payload"]["input_tokens"]) for one in fake.messages] == [
        ("ctx-1", 30), ("ctx-2", 5),
    ]  # fmt: skip


async def test_a_refusal_and_a_limit_that_is_reached_are_exceeded(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    budget = AsyncBudget(books)
    limit: Any = {"unit": "tokens", "period": "per_session", "limit": 3000,
                  "enforcement": "hard_limit"}  # fmt: skip
    made = await budget.create_budget(name="Contexts", policies=[limit])
    await begun(books, component)
    await budget.allocate(**WHO, tokens=4000)
    async with in_touch(books, component):
        await until(lambda: len(fake.of_type("budget.exceeded")) >= 2)
    refused, reached = fake.of_type("budget.exceeded")
    assert (refused["priority"], refused["context_id"]) == (8, "ctx-1")
    assert refused["payload"]["event"] == "refused"
    assert (refused["payload"]["limit"], refused["payload"]["requested"]) == (3000, 4000)
    assert refused["payload"]["unit"] == "tokens"
    assert refused["payload"]["budget"] == reached["payload"]["budget"] == "Contexts"
    assert reached["payload"]["event"] == "limit"
    assert reached["context_id"] == "ctx-1"
    assert reached["payload"]["budget_id"] == made.budget_id


async def test_a_new_window_is_a_reset_and_a_change_of_a_limit_an_update(
    books: Books, component: Component, fake: FakeApollo, clock: Clock
) -> None:
    budget = AsyncBudget(books)
    daily: Any = {"unit": "tokens", "period": "daily", "limit": 10**6, "enforcement": "warn"}
    hourly: Any = {**daily, "period": "hourly"}
    await budget.create_budget(name="All", policies=[daily, hourly])
    await begun(books, component)
    await budget.record_usage(model="m", input_tokens=1)  # opens both: no reset
    clock.move(HOUR)
    await budget.record_usage(model="m", input_tokens=1)  # the next hour
    async with in_touch(books, component):
        await until(lambda: len(fake.of_type("budget.reset")) == 1)
    clock.move(DAY)
    await budget.record_usage(model="m", input_tokens=1)  # another hour, another day
    policy_id = (await budget.budgets()).items[0].live_policies[0].policy_id
    await budget.change_policy(policy_id, limit=5)
    async with in_touch(books, component):
        await until(lambda: len(fake.of_type("budget.updated")) == 1)
    resets = fake.of_type("budget.reset")
    assert [one["payload"]["period"] for one in resets] == ["hourly", "daily", "hourly"]
    assert resets[0]["payload"]["window_start"] == "2026-05-15T13:00:00Z"
    assert len({one["correlation_id"] for one in resets}) == 3
    (changed,) = fake.of_type("budget.updated")
    assert changed["payload"]["event"] == "policy_changed"
    assert changed["payload"]["policy_id"] == policy_id
    assert changed["payload"]["budget"] == "All"
    assert changed["payload"]["detail"]["changes"]["limit"]["new"] == 5


async def test_it_is_told_alike_from_either_engine(
    databases: Databases, component: Component, fake: FakeApollo, clock: Clock
) -> None:
    books = Books.open(databases.new(), clock=clock, prices=PRICES, sweep=False)
    budget = AsyncBudget(books)
    hourly: Any = {"unit": "tokens", "period": "hourly", "limit": 100, "enforcement": "hard_limit"}
    await budget.create_budget(name="All", policies=[hourly])
    await begun(books, component)
    held: Any = await budget.allocate(context_id="ctx-1", tokens=60)
    await budget.allocate(context_id="ctx-2", tokens=60)
    await budget.settle(held.allocation_id, input_tokens=50)
    clock.move(HOUR)
    await budget.allocate(context_id="ctx-2", tokens=60)
    async with in_touch(books, component):
        await until(lambda: len(fake.messages) >= 6)
    books.close()
    assert sorted((one["type"], one.get("context_id") or "") for one in fake.messages) == [
        ("budget.allocated", "ctx-1"), ("budget.allocated", "ctx-2"), ("budget.exceeded", ""),
        ("budget.exceeded", "ctx-2"), ("budget.reset", ""), ("budget.updated", "ctx-1"),
    ]  # fmt: skip


async def test_nothing_is_skipped_while_apollo_is_away_and_nothing_comes_twice(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    budget = AsyncBudget(books)
    await begun(books, component)
    component.stop()
    async with in_touch(books, component) as one:
        for n in range(5):
            await budget.allocate(context_id=f"ctx-{n}", tokens=10)
        await until(lambda: one.contact.state == "failing")
    async with in_touch(books, component) as one:  # another run of ours
        await budget.allocate(context_id="ctx-5", tokens=10)
        component.fault = BROKEN
        component.start()
        await until(lambda: "500" in (one.contact.last_error or ""))
        component.fault = GARBAGE
        await until(lambda: "JSON" in (one.contact.last_error or ""))
        component.fault, component.cut = None, True
        await until(lambda: "broke off" in (one.contact.last_error or ""))
        component.cut = False
        newest = to_rfc3339((await budget.events(limit=1000)).items[-1].at_us)
        await until(lambda: one.contact.facts.get("told_until") == newest)
    # What was cut had come: it was sent again, under the same correlation id.
    first = list(dict.fromkeys(one["correlation_id"] for one in fake.messages))
    assert len(first) == 6
    assert first == sorted(first)
    seen = len(fake.messages)
    async with in_touch(books, component) as one:
        await budget.allocate(context_id="ctx-6", tokens=10)
        await until(lambda: len(fake.messages) > seen)
    assert [one["context_id"] for one in fake.messages[seen:]] == ["ctx-6"]


@pytest.mark.faults
async def test_whatever_fails_and_however_often_each_event_is_told(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    chance = random.Random(7)
    budget = AsyncBudget(books)
    await begun(books, component)
    expected = set()
    for round in range(60):
        async with in_touch(books, component) as one:
            for trouble in chance.choices(["none", "broken", "garbage", "cut", "away"], k=3):
                component.fault = {"broken": BROKEN, "garbage": GARBAGE}.get(trouble)
                component.cut = trouble == "cut"
                if trouble == "away":
                    component.stop()
                for n in range(chance.randrange(8)):
                    name = f"{round}-{trouble}-{n}-{chance.random()}"
                    await budget.allocate(context_id=name, tokens=10)
                    expected.add(name)
                await asyncio.sleep(chance.random() / 20)
                if trouble == "away":
                    component.start()
            component.fault, component.cut = None, False
            if chance.random() < 0.5:  # else it ends amid it
                await until(works(one))
    async with in_touch(books, component):
        await until(lambda: {m["context_id"] for m in fake.messages} == expected, 60)
    first = list(dict.fromkeys(one["correlation_id"] for one in fake.messages))
    assert len(first) == len(expected)
    assert first == sorted(first)


async def test_what_was_taken_before_a_failure_is_not_sent_again_by_the_next_run(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    budget = AsyncBudget(books)
    await begun(books, component)
    await budget.allocate(context_id="ctx-1", tokens=10)
    await budget.record_usage(context_id="ctx-2", model="m", input_tokens=1)
    component.fault = lambda asked: (
        (503, {"detail": "busy"}) if "updated" in str(asked.body) else fake.answer(asked)
    )
    async with in_touch(books, component) as one:
        await until(lambda: "503" in (one.contact.last_error or ""))
    component.fault = None
    async with in_touch(books, component):
        await until(lambda: len(fake.messages) == 2)
    assert [one["context_id"] for one in fake.messages] == ["ctx-1", "ctx-2"]


async def test_an_error_in_an_answer_of_200_is_told_and_such_a_message_passed_over(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    budget = AsyncBudget(books)
    await begun(books, component)
    fake.refuses = {"budget.updated"}
    await budget.record_usage(context_id="ctx-1", model="m", input_tokens=1)
    await budget.allocate(context_id="ctx-2", tokens=10)
    async with in_touch(books, component) as one:
        await until(lambda: len(fake.messages) == 1)
        assert one.contact.last_error is not None
        assert "no handler" in one.contact.last_error
        assert one.contact.facts["messages_passed_over"] == "1"
        await until(works(one))
    assert fake.messages[0]["context_id"] == "ctx-2"
    refused = [one for one in component.asked
               if one.path == "/api/messages" and one.body["type"] == "budget.updated"]  # fmt: skip
    assert len(refused) == 3


async def test_what_apollo_sees_is_kept_and_counted(
    books: Books, component: Component, fake: FakeApollo
) -> None:
    used = {"total_tokens": 3000, "token_utilization": 0.75}
    fake.contexts = [context("apollo-ci"), context("rhetor-ci", metrics=used), {"odd": 1}]
    fake.predictions = [{"context_id": "rhetor-ci", "predicted_health": "poor",
                         "predicted_health_score": 0.4, "confidence": 0.8}]  # fmt: skip
    async with in_touch(books, component) as one:
        await until(lambda: bool(one.seen.contexts))
        assert one.contact.facts["contexts"] == "2"
        seen = one.seen.contexts["rhetor-ci"]
        assert (seen.component, seen.total_tokens, seen.utilization_bps) == ("rhetor", 3000, 7500)
        (predicted,) = one.seen.predictions_of("rhetor-ci")
        assert (predicted.health, predicted.health_bps, predicted.confidence_bps) == (
            "poor", 4000, 8000,
        )  # fmt: skip
        assert one.seen.predictions_of("apollo-ci") == ()


@pytest.mark.parametrize("text", ["0", "3601", "often", "-1", "1.5"])
def test_how_often_it_is_asked_is_seconds(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        apollo.read_poll_seconds({"BUDGET_APOLLO_POLL_SECONDS": text})
    assert caught.value.field == "BUDGET_APOLLO_POLL_SECONDS"


def test_how_often_it_is_asked_has_a_default() -> None:
    assert apollo.read_poll_seconds({}) == 30
    assert apollo.read_poll_seconds({"BUDGET_APOLLO_POLL_SECONDS": "5"}) == 5

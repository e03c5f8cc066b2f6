"""News: what happens is told to Hermes as well as can be, and is nobody's trouble if it cannot."""

import asyncio
import threading
from typing import Any

import pytest

from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.neighbours.hermes import news
from budget.neighbours.hermes.hermes import Hermes
from tests.engine.opened import Clock
from tests.fakes.tekton.component import Asked, Component, Told
from tests.fakes.tekton.hermes import FakeHermes
from tests.neighbours.hermes.conftest import Join, until

pytestmark = pytest.mark.anyio

LIMIT: Any = {"unit": "tokens", "period": "daily", "limit": 1000, "enforcement": "hard_limit"}


@pytest.fixture
async def budget(books: Books) -> AsyncBudget:
    one = AsyncBudget(books)
    await one.create_budget(name="Acme", policies=[LIMIT])
    return one


async def _use(budget: AsyncBudget, tokens: int) -> None:
    held: Any = await budget.allocate(tokens=tokens)
    await budget.settle(held.allocation_id, input_tokens=tokens)


def _told(fake: FakeHermes) -> dict[str, tuple[str, str]]:
    """By alert, or else by kind of event, what was told: its type, and how severe it is."""
    told = [one["message"] for one in fake.published]
    return {
        one["payload"]["detail"].get("alert", one["payload"]["kind"]): (
            one["event_type"], one["severity"],
        )
        for one in told
    }  # fmt: skip


def _types(fake: FakeHermes) -> list[str]:
    return [one["message"]["event_type"] for one in fake.published]


async def _begun(hermes: Hermes) -> None:
    """Until it knows from where on it tells."""
    await until(lambda: hermes.contact.state == "working" and hermes.news._at is not None)


async def test_alerts_refusals_and_top_ups_are_told_in_one_envelope(
    join: Join, fake: FakeHermes, budget: AsyncBudget
) -> None:
    fake.secure = False
    async with join() as hermes:
        await _begun(hermes)
        await _use(budget, 850)
        await budget.allocate(tokens=500)
        (made,) = (await budget.budgets()).items
        await budget.top_up(made.policies[0].policy_id, amount=500, reason="launch")
        wanted = {
            "warning": ("budget.limit_approaching", "warning"),
            "refused": ("budget.limit_exceeded", "error"),
            "limit": ("budget.limit_exceeded", "error"),
            "topped_up": ("budget.topped_up", "info"),
        }
        await until(lambda: wanted.keys() <= _told(fake).keys())
        await until(lambda: hermes.contact.facts["events"].endswith("0 refused, 0 dropped"))
    assert _told(fake).items() >= wanted.items()
    told = fake.published[0]
    assert (told["channel"], told["sender_id"]) == ("budget.events", "budget")
    message = told["message"]
    assert (message["sender"], message["message_type"]) == ("budget", "budget.event")
    assert message["message_id"] == f"budget-{message['payload']['cursor']}"
    assert message["timestamp"] == message["payload"]["at"]


async def test_what_happened_before_is_not_told(
    join: Join, fake: FakeHermes, budget: AsyncBudget
) -> None:
    fake.secure = False
    await _use(budget, 850)
    async with join() as hermes:
        await _begun(hermes)
        await budget.allocate(tokens=500)
        await until(lambda: len(fake.published) == 2)
    assert set(_types(fake)) == {"budget.limit_exceeded"}


async def test_a_hermes_that_lets_nobody_publish_is_spared_after_a_few(
    join: Join, fake: FakeHermes, budget: AsyncBudget, clock: Clock, component: Component
) -> None:
    async with join() as hermes:
        await _begun(hermes)
        for told in range(2, 6):  # the first refusal is an alert too
            clock.move(2_000_000)
            await budget.allocate(tokens=5000)
            await until(lambda told=told: hermes.news.counts.refused == told)  # type: ignore[misc]
        await budget.allocate(tokens=5000)
        clock.move(2_000_000)
        await budget.allocate(tokens=5000)
        await until(lambda: hermes.contact.facts["events"] == "0 taken, 5 refused, 1 dropped")
        assert hermes.contact.facts["events_error"] == (
            "hermes takes no events from us (error -32002)."
        )
        assert hermes.contact.state == "working"
    assert component.paths("POST").count("/api/a2a/v1/") == 5


async def test_no_more_than_a_few_are_under_way_and_what_does_not_fit_is_dropped(
    join: Join, fake: FakeHermes, budget: AsyncBudget, clock: Clock, component: Component,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(news, "MOST_WAITING", 3)
    gate = threading.Event()
    under_way = 0
    most = 0

    def slow(asked: Asked) -> Told:
        nonlocal under_way, most
        if asked.path != "/api/a2a/v1/":
            return fake.answer(asked)
        under_way += 1
        most = max(most, under_way)
        gate.wait(30)
        under_way -= 1
        return fake.answer(asked)

    fake.secure = False
    component.fault = slow
    async with join() as hermes:
        await _begun(hermes)
        for _ in range(20):
            clock.move(2_000_000)
            await budget.allocate(tokens=5000)
        await until(lambda: hermes.news.counts.dropped > 0)
        assert hermes.contact.state == "working"
        gate.set()
        await until(lambda: sum(hermes.news.counts) == 21)  # 20 refusals, and an alert
        assert most <= news.MOST_IN_FLIGHT
        assert hermes.news.counts.taken == len(fake.published)


async def test_what_is_old_when_hermes_comes_back_is_no_news(
    join: Join, fake: FakeHermes, budget: AsyncBudget, clock: Clock, component: Component
) -> None:
    fake.secure = False
    async with join() as hermes:
        await _begun(hermes)
        component.stop()
        await until(lambda: hermes.contact.state == "failing")
        await asyncio.sleep(0)
        hermes.contact.now_us = lambda: clock.now_us + 61_000_000
        await _use(budget, 850)
        component.start()
        await until(lambda: hermes.news.counts.dropped > 0)
    assert fake.published == []

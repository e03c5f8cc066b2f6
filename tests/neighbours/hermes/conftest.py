"""Hermes and Budget beside it, in this process: a real server, real books, short intervals."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.neighbours.company import Company
from budget.neighbours.hermes.hermes import Hermes
from budget.neighbours.known import Setup
from tests.engine.opened import Clock
from tests.fakes.tekton.component import Component, running
from tests.fakes.tekton.hermes import FakeHermes

URL = "http://127.0.0.1:8013"
PATIENCE_SECONDS = 30.0


@pytest.fixture
def fake() -> FakeHermes:
    return FakeHermes()


@pytest.fixture
def component(fake: FakeHermes) -> Iterator[Component]:
    with running(fake.component()) as one:
        yield one


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr("budget.neighbours.hermes.news.LOOK_SECONDS", 0.01)
    for name, seconds in (
        ("most_pause_seconds", 0.02), ("beat_seconds", 0.02), ("tools_seconds", 0.05),
        ("look_seconds", 0.05),
    ):  # fmt: skip
        monkeypatch.setattr(Hermes, name, seconds)


Join = Callable[..., contextlib.AbstractAsyncContextManager[Hermes]]


@pytest.fixture
def join(books: Books, clock: Clock, component: Component) -> Join:
    """Be beside Hermes for a block; `env` is more of the environment."""

    @contextlib.asynccontextmanager
    async def joined(**env: str) -> AsyncIterator[Hermes]:
        told = {"BUDGET_HERMES_URL": component.url, **env}
        one = Hermes(Setup(told, AsyncBudget(books), URL, 8013, "test"))
        one.contact.now_us = clock
        company = Company([one])
        company.start()
        try:
            yield one
        finally:
            await company.close()

    return joined


async def until(enough: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not enough():  # noqa: ASYNC110 - the fake answers in threads of its own
            await asyncio.sleep(0.005)


async def again(component: Component, times: int = 2) -> None:
    """Wait until the list of components was read so often from now on."""
    before = component.paths("GET").count("/api/components")
    await until(lambda: component.paths("GET").count("/api/components") >= before + times)

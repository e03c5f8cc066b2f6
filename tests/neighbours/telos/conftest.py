"""Telos and books beside each other, in this process: a real server, real books."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from budget.domain.budgets import Budget, Policy
from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.neighbours.telos import costs
from budget.neighbours.telos.telos import Telos
from tests.engine.opened import Clock, open_books, us
from tests.fakes.tekton.component import running
from tests.fakes.tekton.telos import Telos as Fake
from tests.support.databases import SqliteDatabases

HARD: Any = {"unit": "usd", "period": "monthly", "limit": "100", "enforcement": "hard_limit"}


@pytest.fixture
def clock() -> Clock:
    return Clock(us("2026-05-16 00:00"))


@pytest.fixture
def books(sqlite_databases: SqliteDatabases, clock: Clock) -> Iterator[Books]:
    with open_books(sqlite_databases.new(), clock) as opened:
        yield opened


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    with running(fake.component):
        yield fake


@dataclass
class Beside:
    """Telos with a project, and the neighbour, which looks when it is told to."""

    fake: Fake
    books: Books
    telos: Telos
    project: str

    async def look(self) -> None:
        """One round, as the first of a service that was just started."""
        self.telos._noted = await self.telos._notes.all()
        await self.telos.look()

    def limit(self, *limits: Any, **given: Any) -> str:
        """A constraint that carries limits; its id."""
        wanted: Any = {
            "requirement_type": "constraint",
            "tags": ["budget", "legal"],
            "metadata": {"owner": "ann", "budget": {"limits": list(limits or (HARD,))}},
        }
        return self.fake.require(self.project, **{**wanted, **given})

    def metadata(self, requirement: str) -> dict[str, Any]:
        """What is there of a requirement."""
        told: dict[str, Any] = self.fake.requirement(self.project, requirement)["metadata"]
        return told

    def change(self, requirement: str, *limits: Any) -> None:
        """Write other limits, as its people do."""
        told = {**self.metadata(requirement), "budget": {"limits": list(limits)}}
        self.fake.change(self.project, requirement, metadata=told)

    def budgets(self) -> list[Budget]:
        """Those in force."""
        return self.books.budgets().items

    def alerted(self) -> str:
        """What the one alert about a requirement says."""
        (alert,) = self.books.alerts(kind="requirement_limits").items
        told: str = json.loads(alert.detail)["message"]
        return told

    @property
    def policy(self) -> Policy:
        """The one policy in force."""
        (budget,) = self.budgets()
        (policy,) = budget.live_policies
        return policy


@pytest.fixture
async def beside(
    fake: Fake, books: Books, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Beside]:
    monkeypatch.setattr(costs, "REST", 0)
    telos = Telos(AsyncBudget(books.books), fake.component.url)
    yield Beside(fake, books, telos, fake.make_project())
    await telos.leave()

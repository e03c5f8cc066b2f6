"""Athena and books that are kept in step, in this process: a real server, real books."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.neighbours.athena import athena as neighbour
from budget.neighbours.athena.athena import Athena
from budget.neighbours.company import Company
from tests.engine.opened import Clock, open_books, us
from tests.fakes.tekton.athena import Graph, athena
from tests.fakes.tekton.component import Component, running
from tests.support.databases import SqliteDatabases

PATIENCE_SECONDS = 30.0


@pytest.fixture
def clock() -> Clock:
    return Clock(us("2026-05-15 12:00"))


@pytest.fixture
def books(sqlite_databases: SqliteDatabases, clock: Clock) -> Iterator[Books]:
    with open_books(sqlite_databases.new(), clock) as opened:
        yield opened


@dataclass
class Beside:
    """An Athena that runs, and what it knows."""

    component: Component
    graph: Graph

    def kill(self) -> None:
        """Stop it as a kill does: it will know what was synced."""
        self.component.stop()
        self.graph.forget()


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    """Athena; it is looked at often, so that tests need not wait."""
    monkeypatch.setattr(neighbour, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(neighbour, "USAGE_SECONDS", 0.2)
    monkeypatch.setattr(neighbour, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.02)
    component, graph = athena()
    with running(component):
        yield Beside(component, graph)


@asynccontextmanager
async def in_step(books: Books, beside: Beside) -> AsyncIterator[Athena]:
    """The neighbour while it is kept running."""
    one = Athena(AsyncBudget(books.books), beside.component.url)
    one.most_pause_seconds = 0.1
    company = Company([one])
    company.start()
    try:
        yield one
    finally:
        await company.close()


async def until(so: Callable[[], bool]) -> None:
    """Until something is so; AssertionError."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not so():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.01)

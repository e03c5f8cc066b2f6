"""A hold ends once: whoever goes away meanwhile, what was used is booked, and booked once."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from budget.domain.answers import Allocation, Receipt
from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.gateway.holding import Holding, Tasks
from tests.engine.opened import Clock, open_books, us


@pytest.fixture
def books(sqlite_url: str) -> Iterator[Books]:
    """Open books, which must be clean at the end."""
    with open_books(sqlite_url, Clock(us("2026-05-15 12:00"))) as opened:
        yield opened
        assert opened.verify().violations == ()


async def held(books: Books) -> tuple[Holding, Tasks]:
    """A hold for 5 tokens of input and 10 of output, and what goes on beside."""
    budget, tasks = AsyncBudget(books.books), Tasks()
    allocation = await budget.allocate(model="m", input_tokens=5, max_output_tokens=10)
    assert isinstance(allocation, Allocation)
    return Holding(budget, budget.jobs, tasks, allocation), tasks


async def begun_and_cancelled(doing: Any) -> None:
    """Begin it, and cancel it where it waits."""
    task = asyncio.ensure_future(doing)
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def output_tokens(books: Books) -> list[int]:
    """The output of each usage record."""
    return [record.usage.output_tokens for record in books.usage_records().items]


@pytest.mark.anyio
async def test_usage_is_booked_though_whoever_waits_for_that_is_cancelled(books: Books) -> None:
    holding, tasks = await held(books)
    await begun_and_cancelled(holding.settle({"input_tokens": 5, "output_tokens": 7}))
    assert await tasks.finish(10) == 0
    assert output_tokens(books) == [7]
    assert await holding.settle({"input_tokens": 5, "output_tokens": 9}) is None
    assert output_tokens(books) == [7]


@pytest.mark.anyio
async def test_so_is_a_release(books: Books) -> None:
    holding, tasks = await held(books)
    await begun_and_cancelled(holding.release("nothing was sent"))
    assert await tasks.finish(10) == 0
    assert [one.status for one in books.allocations().items] == ["released"]
    await holding.release("again")
    assert output_tokens(books) == []


@pytest.mark.anyio
async def test_nothing_goes_on_beside_where_nobody_goes_away(books: Books) -> None:
    holding, tasks = await held(books)
    receipt = await holding.settle({"input_tokens": 5, "output_tokens": 7})
    assert isinstance(receipt, Receipt)
    assert await tasks.finish(0) == 0
    assert output_tokens(books) == [7]


@pytest.mark.anyio
async def test_usage_that_cannot_be_is_told_to_who_runs_this(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    holding, tasks = await held(books)
    assert await holding.settle({"input_tokens": 5, "cache_read_tokens": 6}) is None
    assert "not booked: usage of" in caplog.text
    assert "input_tokens: must include the tokens read" in caplog.text
    assert await tasks.finish(0) == 0
    assert [one.status for one in books.allocations().items] == ["open"]
    books.release(holding.allocation.allocation_id)

"""The facade on an event loop: what was queued is done, whoever goes away while it is."""

import asyncio
import contextlib
from typing import Any

import pytest

from budget.domain.answers import Allocation
from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.engine.tickets import Ticket


async def cancelled(doing: Any) -> None:
    """Begin it, and cancel it where it waits."""
    task = asyncio.ensure_future(doing)
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def resolved(ticket: Ticket) -> None:
    """Wait until the loop has heard of it."""
    while ticket.future is not None:  # noqa: ASYNC110 - nobody tells, for nobody waits
        await asyncio.sleep(0)


@pytest.mark.anyio
@pytest.mark.parametrize("late", [False, True], ids=["at once", "after its answer came"])
async def test_the_answer_to_what_was_queued_can_be_awaited_after_a_cancelled_wait(
    light: Books, *, late: bool
) -> None:
    budget = AsyncBudget(light.books)
    job = budget.jobs.allocate(model="m", input_tokens=5, max_output_tokens=10)
    ticket = budget.queue(job)
    await cancelled(budget.answer(job, ticket))
    if late:
        await resolved(ticket)
    answer = await budget.answer(job, ticket)
    assert isinstance(answer, Allocation)
    assert [one.allocation_id for one in light.allocations().items] == [answer.allocation_id]


@pytest.mark.anyio
@pytest.mark.parametrize("late", [False, True], ids=["at once", "after its error came"])
async def test_so_can_its_error(light: Books, *, late: bool) -> None:
    budget = AsyncBudget(light.books)
    job = budget.jobs.settle("alloc_unknown", input_tokens=5)
    ticket = budget.queue(job)
    await cancelled(budget.answer(job, ticket))
    if late:
        await resolved(ticket)
    with pytest.raises(Exception, match="alloc_unknown"):
        await budget.answer(job, ticket)

"""The facade: `Budget` for threads and `AsyncBudget` for event loops, with the same methods.

    with Budget.open("sqlite:///budget.db") as budget:
        held = budget.allocate(model="gpt-4o", input_tokens=1200, max_output_tokens=300)

Every face goes through these methods; `allocate`, `check` and `extend` return a refusal as a value.
They are listed in `domain.facade`; what each does is written in `engine.jobs`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Self, TypeVar, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers import Event
from budget.domain.asks_reading import FollowAsk
from budget.domain.facade import AsyncFacade, Facade
from budget.engine.callers import LOCAL, Caller
from budget.engine.commands import Command
from budget.engine.following import Followed, awaiting, following
from budget.engine.job import Job, job_of
from budget.engine.jobs import Books, Jobs
from budget.engine.tickets import CatalogueChange, Ticket
from budget.prices.book import PriceBook

T = TypeVar("T")


class Budget(Facade):
    """The books, for code that runs in threads. Every method may be called from any thread."""

    def __init__(self, books: Books, caller: Caller = LOCAL) -> None:
        self.books = books
        self.acts = self.jobs = Jobs(books, caller)

    @classmethod
    def open(
        cls,
        url: str = "sqlite:///budget.db",
        *,
        clock: Callable[[], int] | None = None,
        prices: PriceBook | None = None,
        sweep: bool = True,
    ) -> Self:
        """Open the books; see `Books.open`."""
        return cls(Books.open(url, clock=clock, prices=prices, sweep=sweep))

    def acting_as(self, caller: Caller) -> Self:
        """The same books, on behalf of another caller."""
        return type(self)(self.books, caller)

    def close(self) -> None:
        """Answer what is queued and close the books."""
        self.books.close()

    def run(self, act: Act[T]) -> T:
        """Do a job and wait for its answer."""
        job = job_of(act)
        if job.prepare is not None:
            job = job.prepare()
        if job.read is not None:
            return job.read()
        ledger = self.books.ledger
        if job.commands is not None:
            answer: Any = ledger.do_all(job.commands)
        else:
            answer = ledger.do(lambda waiter: Ticket(waiter, job.command, job.change))
        told: T = answer if job.finish is None else job.finish(answer)
        return told

    def follow(self, **ask: Unpack[FollowAsk]) -> Iterator[Event]:
        """Events as they come, without end: those after a cursor, or from now on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice.
        """
        followed = Followed(self.books, self.jobs.caller, ask)
        followed.begin()
        return following(self.books, followed)


class _LoopWaiter:
    """An event loop that waits for tickets: woken once a batch, not once a command."""

    __slots__ = ("loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def wake(self, tickets: Sequence[Ticket]) -> None:
        try:
            self.loop.call_soon_threadsafe(_resolve, tickets)
        except RuntimeError:
            return  # the loop has closed: nobody waits any more


def _resolve(tickets: Sequence[Ticket]) -> None:
    for ticket in tickets:
        future, ticket.future = ticket.future, None
        if not future.done():
            if ticket.error is None:
                future.set_result(ticket.answer)
            else:
                future.set_exception(ticket.error)


class AsyncBudget(AsyncFacade):
    """The books, for code on an event loop. Reads run in threads; commands wait without one."""

    def __init__(self, books: Books, caller: Caller = LOCAL) -> None:
        self.books = books
        self.acts = self.jobs = Jobs(books, caller)
        self._waiter: _LoopWaiter | None = None

    @classmethod
    async def open(
        cls,
        url: str = "sqlite:///budget.db",
        *,
        clock: Callable[[], int] | None = None,
        prices: PriceBook | None = None,
        sweep: bool = True,
    ) -> Self:
        """Open the books; see `Books.open`."""
        return cls(
            await asyncio.to_thread(Books.open, url, clock=clock, prices=prices, sweep=sweep)
        )

    def acting_as(self, caller: Caller) -> Self:
        """The same books, on behalf of another caller."""
        other = type(self)(self.books, caller)
        other._waiter = self._waiter
        return other

    async def close(self) -> None:
        """Answer what is queued and close the books."""
        await asyncio.to_thread(self.books.close)

    async def run(self, act: Act[T]) -> T:
        """Do a job and wait for its answer."""
        job = job_of(act)
        if job.prepare is not None:
            job = await asyncio.to_thread(job.prepare)
        if job.read is not None:
            return await asyncio.to_thread(job.read)
        if job.commands is not None:
            answer: Any = await self._all(job.commands)
            return answer if job.finish is None else job.finish(answer)
        return await self.answer(job, self.queue(job))

    def queue(self, job: Job[Any]) -> Ticket:
        """Queue the command or the change of a job, to be done whoever waits for it."""
        ticket = self._ticket(job.command, job.change)
        self.books.ledger.submit(ticket)
        return ticket

    async def answer(self, job: Job[T], ticket: Ticket) -> T:
        """Wait for what was queued of a job; again, if whoever waited before was cancelled."""
        future = ticket.future
        if future is None:
            answer = ticket.result()
        else:
            if future.cancelled():
                future = ticket.future = asyncio.get_running_loop().create_future()
            answer = await future
        told: T = answer if job.finish is None else job.finish(answer)
        return told

    def _ticket(self, command: Command | None, change: CatalogueChange | None = None) -> Ticket:
        waiter = self._waiter
        if waiter is None:
            waiter = self._waiter = _LoopWaiter(asyncio.get_running_loop())
        ticket = Ticket(waiter, command, change)
        ticket.future = waiter.loop.create_future()
        return ticket

    async def _all(self, commands: Sequence[Command]) -> list[Any]:
        """Each command's answer or error."""
        tickets = [self._ticket(command) for command in commands]
        futures = [ticket.future for ticket in tickets]
        self.books.ledger.submit_all(tickets)
        return await asyncio.gather(*futures, return_exceptions=True)

    def follow(self, **ask: Unpack[FollowAsk]) -> AsyncIterator[Event]:
        """Events as they come, without end: those after a cursor, or from the first step on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice.
        """
        return awaiting(Followed(self.books, self.jobs.caller, ask))

"""The facade: `Budget` for threads and `AsyncBudget` for event loops, with the same methods.

    with Budget.open("sqlite:///budget.db") as budget:
        held = budget.allocate(model="gpt-4o", input_tokens=1200, max_output_tokens=300)

Every face goes through these methods; `allocate`, `check` and `extend` return a refusal as a value.
What each does is written in `engine.jobs`.
"""

import asyncio
import functools
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from budget.domain.answers import Event
from budget.domain.asks_reading import FollowAsk
from budget.engine.callers import LOCAL, Caller
from budget.engine.commands import Command
from budget.engine.following import Followed, awaiting, following
from budget.engine.jobs import Books, Job, Jobs
from budget.engine.tickets import Ticket
from budget.prices.book import PriceBook

P = ParamSpec("P")
T = TypeVar("T")


class Budget:
    """The books, for code that runs in threads. Every method may be called from any thread."""

    def __init__(self, books: Books, caller: Caller = LOCAL) -> None:
        self.books = books
        self.jobs = Jobs(books, caller)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, job: Job[T]) -> T:
        """Do a job and wait for its answer."""
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

    @staticmethod
    def _waits(
        method: Callable[Concatenate[Jobs, P], Job[T]],
    ) -> "Callable[Concatenate[Budget, P], T]":
        @functools.wraps(method)
        def waiting(self: "Budget", /, *args: P.args, **kwargs: P.kwargs) -> T:
            return self.run(method(self.jobs, *args, **kwargs))

        return waiting

    allocate = _waits(Jobs.allocate)
    check = _waits(Jobs.check)
    record = _waits(Jobs.record)
    settle = _waits(Jobs.settle)
    release = _waits(Jobs.release)
    extend = _waits(Jobs.extend)
    record_usage = _waits(Jobs.record_usage)
    record_bulk = _waits(Jobs.record_bulk)
    correct = _waits(Jobs.correct)
    sweep = _waits(Jobs.sweep)
    calculate = _waits(Jobs.calculate)
    estimate = _waits(Jobs.estimate)
    factors = _waits(Jobs.factors)
    learn = _waits(Jobs.learn)
    create_budget = _waits(Jobs.create_budget)
    change_budget = _waits(Jobs.change_budget)
    archive_budget = _waits(Jobs.archive_budget)
    create_policy = _waits(Jobs.create_policy)
    change_policy = _waits(Jobs.change_policy)
    archive_policy = _waits(Jobs.archive_policy)
    top_up = _waits(Jobs.top_up)
    make_request = _waits(Jobs.make_request)
    approve_request = _waits(Jobs.approve_request)
    reject_request = _waits(Jobs.reject_request)
    withdraw_request = _waits(Jobs.withdraw_request)
    request = _waits(Jobs.request)
    requests = _waits(Jobs.requests)
    budget_requests = _waits(Jobs.budget_requests)
    settings = _waits(Jobs.settings)
    change_settings = _waits(Jobs.change_settings)
    set_limit = _waits(Jobs.set_limit)
    recommend = _waits(Jobs.recommend)
    budget = _waits(Jobs.budget)
    budgets = _waits(Jobs.budgets)
    policy = _waits(Jobs.policy)
    policies = _waits(Jobs.policies)
    budget_policies = _waits(Jobs.budget_policies)
    top_ups = _waits(Jobs.top_ups)
    balances = _waits(Jobs.balances)
    allocation = _waits(Jobs.allocation)
    allocations = _waits(Jobs.allocations)
    allocation_of_context = _waits(Jobs.allocation_of_context)
    budget_allocations = _waits(Jobs.budget_allocations)
    usage_record = _waits(Jobs.usage_record)
    usage_records = _waits(Jobs.usage_records)
    usage_summary = _waits(Jobs.usage_summary)
    budget_summary = _waits(Jobs.budget_summary)
    standings = _waits(Jobs.standings)
    events = _waits(Jobs.events)
    status = _waits(Jobs.status)
    audit = _waits(Jobs.audit)
    verify = _waits(Jobs.verify)
    seal = _waits(Jobs.seal)
    prices = _waits(Jobs.prices)
    current_price = _waits(Jobs.current_price)
    price_history = _waits(Jobs.price_history)
    compare_prices = _waits(Jobs.compare_prices)
    price_sources = _waits(Jobs.price_sources)
    price_updates = _waits(Jobs.price_updates)
    set_price = _waits(Jobs.set_price)
    end_price = _waits(Jobs.end_price)
    update_prices = _waits(Jobs.update_prices)
    accept_price = _waits(Jobs.accept_price)
    reject_price = _waits(Jobs.reject_price)
    rerate = _waits(Jobs.rerate)
    what_if = _waits(Jobs.what_if)
    coverage = _waits(Jobs.coverage)
    simulate = _waits(Jobs.simulate)
    explain = _waits(Jobs.explain)
    create_key = _waits(Jobs.create_key)
    change_key = _waits(Jobs.change_key)
    rotate_key = _waits(Jobs.rotate_key)
    revoke_key = _waits(Jobs.revoke_key)
    key = _waits(Jobs.key)
    keys = _waits(Jobs.keys)
    own_key = _waits(Jobs.own_key)
    login_link = _waits(Jobs.login_link)
    sessions = _waits(Jobs.sessions)
    session = _waits(Jobs.session)
    end_session = _waits(Jobs.end_session)
    alert = _waits(Jobs.alert)
    alerts = _waits(Jobs.alerts)
    acknowledge_alert = _waits(Jobs.acknowledge_alert)
    dismiss_alert = _waits(Jobs.dismiss_alert)
    check_alerts = _waits(Jobs.check_alerts)
    alert_settings = _waits(Jobs.alert_settings)
    change_alert_settings = _waits(Jobs.change_alert_settings)
    create_channel = _waits(Jobs.create_channel)
    change_channel = _waits(Jobs.change_channel)
    archive_channel = _waits(Jobs.archive_channel)
    rotate_channel_secret = _waits(Jobs.rotate_channel_secret)
    channel = _waits(Jobs.channel)
    channels = _waits(Jobs.channels)
    test_channel = _waits(Jobs.test_channel)
    deliveries = _waits(Jobs.deliveries)
    replay_delivery = _waits(Jobs.replay_delivery)
    replay_channel = _waits(Jobs.replay_channel)


class _LoopWaiter:
    """An event loop that waits for tickets: woken once a batch, not once a command."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def wake(self, tickets: Sequence[Ticket]) -> None:
        try:
            self._loop.call_soon_threadsafe(_resolve, tickets)
        except RuntimeError:
            return  # the loop has closed: nobody waits any more


def _resolve(tickets: Sequence[Ticket]) -> None:
    for ticket in tickets:
        future = ticket.future
        if not future.done():
            if ticket.error is None:
                future.set_result(ticket.answer)
            else:
                future.set_exception(ticket.error)


class AsyncBudget:
    """The books, for code on an event loop. Reads run in threads; commands wait without one."""

    def __init__(self, books: Books, caller: Caller = LOCAL) -> None:
        self.books = books
        self.jobs = Jobs(books, caller)
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self, job: Job[T]) -> T:
        """Do a job and wait for its answer."""
        if job.prepare is not None:
            job = await asyncio.to_thread(job.prepare)
        if job.read is not None:
            return await asyncio.to_thread(job.read)
        loop = asyncio.get_running_loop()
        if self._waiter is None:
            self._waiter = _LoopWaiter(loop)
        if job.commands is not None:
            answer: Any = await self._all(job.commands, self._waiter, loop)
        else:
            ticket = Ticket(self._waiter, job.command, job.change)
            ticket.future = loop.create_future()
            self.books.ledger.submit(ticket)
            answer = await ticket.future
        told: T = answer if job.finish is None else job.finish(answer)
        return told

    async def _all(
        self, commands: Sequence[Command], waiter: _LoopWaiter, loop: asyncio.AbstractEventLoop
    ) -> list[Any]:
        """Each command's answer or error."""
        tickets = [Ticket(waiter, command) for command in commands]
        for ticket in tickets:
            ticket.future = loop.create_future()
        self.books.ledger.submit_all(tickets)
        return await asyncio.gather(*(one.future for one in tickets), return_exceptions=True)

    def follow(self, **ask: Unpack[FollowAsk]) -> AsyncIterator[Event]:
        """Events as they come, without end: those after a cursor, or from the first step on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice.
        """
        return awaiting(Followed(self.books, self.jobs.caller, ask))

    @staticmethod
    def _awaits(
        method: Callable[Concatenate[Jobs, P], Job[T]],
    ) -> "Callable[Concatenate[AsyncBudget, P], Awaitable[T]]":
        @functools.wraps(method)
        def awaiting(self: "AsyncBudget", /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
            return self.run(method(self.jobs, *args, **kwargs))

        return awaiting

    allocate = _awaits(Jobs.allocate)
    check = _awaits(Jobs.check)
    record = _awaits(Jobs.record)
    settle = _awaits(Jobs.settle)
    release = _awaits(Jobs.release)
    extend = _awaits(Jobs.extend)
    record_usage = _awaits(Jobs.record_usage)
    record_bulk = _awaits(Jobs.record_bulk)
    correct = _awaits(Jobs.correct)
    sweep = _awaits(Jobs.sweep)
    calculate = _awaits(Jobs.calculate)
    estimate = _awaits(Jobs.estimate)
    factors = _awaits(Jobs.factors)
    learn = _awaits(Jobs.learn)
    create_budget = _awaits(Jobs.create_budget)
    change_budget = _awaits(Jobs.change_budget)
    archive_budget = _awaits(Jobs.archive_budget)
    create_policy = _awaits(Jobs.create_policy)
    change_policy = _awaits(Jobs.change_policy)
    archive_policy = _awaits(Jobs.archive_policy)
    top_up = _awaits(Jobs.top_up)
    make_request = _awaits(Jobs.make_request)
    approve_request = _awaits(Jobs.approve_request)
    reject_request = _awaits(Jobs.reject_request)
    withdraw_request = _awaits(Jobs.withdraw_request)
    request = _awaits(Jobs.request)
    requests = _awaits(Jobs.requests)
    budget_requests = _awaits(Jobs.budget_requests)
    settings = _awaits(Jobs.settings)
    change_settings = _awaits(Jobs.change_settings)
    set_limit = _awaits(Jobs.set_limit)
    recommend = _awaits(Jobs.recommend)
    budget = _awaits(Jobs.budget)
    budgets = _awaits(Jobs.budgets)
    policy = _awaits(Jobs.policy)
    policies = _awaits(Jobs.policies)
    budget_policies = _awaits(Jobs.budget_policies)
    top_ups = _awaits(Jobs.top_ups)
    balances = _awaits(Jobs.balances)
    allocation = _awaits(Jobs.allocation)
    allocations = _awaits(Jobs.allocations)
    allocation_of_context = _awaits(Jobs.allocation_of_context)
    budget_allocations = _awaits(Jobs.budget_allocations)
    usage_record = _awaits(Jobs.usage_record)
    usage_records = _awaits(Jobs.usage_records)
    usage_summary = _awaits(Jobs.usage_summary)
    budget_summary = _awaits(Jobs.budget_summary)
    standings = _awaits(Jobs.standings)
    events = _awaits(Jobs.events)
    status = _awaits(Jobs.status)
    audit = _awaits(Jobs.audit)
    verify = _awaits(Jobs.verify)
    seal = _awaits(Jobs.seal)
    prices = _awaits(Jobs.prices)
    current_price = _awaits(Jobs.current_price)
    price_history = _awaits(Jobs.price_history)
    compare_prices = _awaits(Jobs.compare_prices)
    price_sources = _awaits(Jobs.price_sources)
    price_updates = _awaits(Jobs.price_updates)
    set_price = _awaits(Jobs.set_price)
    end_price = _awaits(Jobs.end_price)
    update_prices = _awaits(Jobs.update_prices)
    accept_price = _awaits(Jobs.accept_price)
    reject_price = _awaits(Jobs.reject_price)
    rerate = _awaits(Jobs.rerate)
    what_if = _awaits(Jobs.what_if)
    coverage = _awaits(Jobs.coverage)
    simulate = _awaits(Jobs.simulate)
    explain = _awaits(Jobs.explain)
    create_key = _awaits(Jobs.create_key)
    change_key = _awaits(Jobs.change_key)
    rotate_key = _awaits(Jobs.rotate_key)
    revoke_key = _awaits(Jobs.revoke_key)
    key = _awaits(Jobs.key)
    keys = _awaits(Jobs.keys)
    own_key = _awaits(Jobs.own_key)
    login_link = _awaits(Jobs.login_link)
    sessions = _awaits(Jobs.sessions)
    session = _awaits(Jobs.session)
    end_session = _awaits(Jobs.end_session)
    alert = _awaits(Jobs.alert)
    alerts = _awaits(Jobs.alerts)
    acknowledge_alert = _awaits(Jobs.acknowledge_alert)
    dismiss_alert = _awaits(Jobs.dismiss_alert)
    check_alerts = _awaits(Jobs.check_alerts)
    alert_settings = _awaits(Jobs.alert_settings)
    change_alert_settings = _awaits(Jobs.change_alert_settings)
    create_channel = _awaits(Jobs.create_channel)
    change_channel = _awaits(Jobs.change_channel)
    archive_channel = _awaits(Jobs.archive_channel)
    rotate_channel_secret = _awaits(Jobs.rotate_channel_secret)
    channel = _awaits(Jobs.channel)
    channels = _awaits(Jobs.channels)
    test_channel = _awaits(Jobs.test_channel)
    deliveries = _awaits(Jobs.deliveries)
    replay_delivery = _awaits(Jobs.replay_delivery)
    replay_channel = _awaits(Jobs.replay_channel)

"""The client of a service: `Client` for threads and `AsyncClient` for event loops.

Both have the methods of `engine.budget.Budget`, with the same parameters, values and errors. What
each asks for is written in `client.calls`, how that is sent in `client.transport`.
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, Unpack

from budget.client.calls import Calls
from budget.client.following import awaiting, following
from budget.client.request import Request
from budget.client.retrying import RETRIES, TIMEOUT_SECONDS, terms
from budget.client.transport import AsyncTransport, Transport
from budget.domain.answers import Event
from budget.domain.asks_reading import FollowAsk

P = ParamSpec("P")
T = TypeVar("T")


class Client:
    """The books behind a service, for code that runs in threads. Any thread may call any method.

    `url` is that of BUDGET_TARGET unless given, else http://127.0.0.1:8013; `key` that of
    BUDGET_KEY. A call takes at most `timeout_seconds`, with its retries.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        self._transport = Transport(terms(url, key, timeout_seconds, retries))
        self.calls = Calls()

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._transport.terms.address.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, request: Request[T]) -> T:
        """Ask, and wait for the answer."""
        return self._transport.run(request)

    def follow(self, **ask: Unpack[FollowAsk]) -> Iterator[Event]:
        """Events as they come, without end: those after a cursor, or from now on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice, though
        connections break.
        """
        return following(self._transport, ask)

    @staticmethod
    def _waits(
        method: Callable[Concatenate[Calls, P], Request[T]],
    ) -> "Callable[Concatenate[Client, P], T]":
        @functools.wraps(method)
        def waiting(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
            return self.run(method(self.calls, *args, **kwargs))

        return waiting

    # methods: _waits
    allocate = _waits(Calls.allocate)
    check = _waits(Calls.check)
    record = _waits(Calls.record)
    settle = _waits(Calls.settle)
    release = _waits(Calls.release)
    extend = _waits(Calls.extend)
    record_usage = _waits(Calls.record_usage)
    record_bulk = _waits(Calls.record_bulk)
    correct = _waits(Calls.correct)
    sweep = _waits(Calls.sweep)
    calculate = _waits(Calls.calculate)
    create_budget = _waits(Calls.create_budget)
    change_budget = _waits(Calls.change_budget)
    archive_budget = _waits(Calls.archive_budget)
    create_policy = _waits(Calls.create_policy)
    change_policy = _waits(Calls.change_policy)
    archive_policy = _waits(Calls.archive_policy)
    top_up = _waits(Calls.top_up)
    set_limit = _waits(Calls.set_limit)
    budget = _waits(Calls.budget)
    budgets = _waits(Calls.budgets)
    policy = _waits(Calls.policy)
    policies = _waits(Calls.policies)
    budget_policies = _waits(Calls.budget_policies)
    top_ups = _waits(Calls.top_ups)
    balances = _waits(Calls.balances)
    allocation = _waits(Calls.allocation)
    allocations = _waits(Calls.allocations)
    allocation_of_context = _waits(Calls.allocation_of_context)
    budget_allocations = _waits(Calls.budget_allocations)
    usage_record = _waits(Calls.usage_record)
    usage_records = _waits(Calls.usage_records)
    usage_summary = _waits(Calls.usage_summary)
    budget_summary = _waits(Calls.budget_summary)
    standings = _waits(Calls.standings)
    status = _waits(Calls.status)
    make_request = _waits(Calls.make_request)
    approve_request = _waits(Calls.approve_request)
    reject_request = _waits(Calls.reject_request)
    withdraw_request = _waits(Calls.withdraw_request)
    request = _waits(Calls.request)
    requests = _waits(Calls.requests)
    budget_requests = _waits(Calls.budget_requests)
    settings = _waits(Calls.settings)
    change_settings = _waits(Calls.change_settings)
    recommend = _waits(Calls.recommend)
    estimate = _waits(Calls.estimate)
    factors = _waits(Calls.factors)
    learn = _waits(Calls.learn)
    events = _waits(Calls.events)
    audit = _waits(Calls.audit)
    verify = _waits(Calls.verify)
    seal = _waits(Calls.seal)
    prices = _waits(Calls.prices)
    current_price = _waits(Calls.current_price)
    price_history = _waits(Calls.price_history)
    compare_prices = _waits(Calls.compare_prices)
    price_sources = _waits(Calls.price_sources)
    price_updates = _waits(Calls.price_updates)
    set_price = _waits(Calls.set_price)
    end_price = _waits(Calls.end_price)
    update_prices = _waits(Calls.update_prices)
    accept_price = _waits(Calls.accept_price)
    reject_price = _waits(Calls.reject_price)
    rerate = _waits(Calls.rerate)
    what_if = _waits(Calls.what_if)
    coverage = _waits(Calls.coverage)
    simulate = _waits(Calls.simulate)
    explain = _waits(Calls.explain)
    create_key = _waits(Calls.create_key)
    change_key = _waits(Calls.change_key)
    rotate_key = _waits(Calls.rotate_key)
    revoke_key = _waits(Calls.revoke_key)
    key = _waits(Calls.key)
    keys = _waits(Calls.keys)
    own_key = _waits(Calls.own_key)
    login_link = _waits(Calls.login_link)
    sessions = _waits(Calls.sessions)
    session = _waits(Calls.session)
    end_session = _waits(Calls.end_session)
    alert = _waits(Calls.alert)
    alerts = _waits(Calls.alerts)
    acknowledge_alert = _waits(Calls.acknowledge_alert)
    dismiss_alert = _waits(Calls.dismiss_alert)
    check_alerts = _waits(Calls.check_alerts)
    alert_settings = _waits(Calls.alert_settings)
    change_alert_settings = _waits(Calls.change_alert_settings)
    create_channel = _waits(Calls.create_channel)
    change_channel = _waits(Calls.change_channel)
    archive_channel = _waits(Calls.archive_channel)
    rotate_channel_secret = _waits(Calls.rotate_channel_secret)
    channel = _waits(Calls.channel)
    channels = _waits(Calls.channels)
    test_channel = _waits(Calls.test_channel)
    deliveries = _waits(Calls.deliveries)
    replay_delivery = _waits(Calls.replay_delivery)
    replay_channel = _waits(Calls.replay_channel)


class AsyncClient:
    """The books behind a service, for code on an event loop; otherwise as `Client`."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        self._transport = AsyncTransport(terms(url, key, timeout_seconds, retries))
        self.calls = Calls()

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._transport.terms.address.url

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self, request: Request[T]) -> T:
        """Ask, and wait for the answer."""
        return await self._transport.run(request)

    def follow(self, **ask: Unpack[FollowAsk]) -> AsyncIterator[Event]:
        """Events as they come, without end: those after a cursor, or from the first step on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice, though
        connections break.
        """
        return awaiting(self._transport, ask)

    @staticmethod
    def _awaits(
        method: Callable[Concatenate[Calls, P], Request[T]],
    ) -> "Callable[Concatenate[AsyncClient, P], Awaitable[T]]":
        @functools.wraps(method)
        def awaiting(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
            return self.run(method(self.calls, *args, **kwargs))

        return awaiting

    # methods: _awaits
    allocate = _awaits(Calls.allocate)
    check = _awaits(Calls.check)
    record = _awaits(Calls.record)
    settle = _awaits(Calls.settle)
    release = _awaits(Calls.release)
    extend = _awaits(Calls.extend)
    record_usage = _awaits(Calls.record_usage)
    record_bulk = _awaits(Calls.record_bulk)
    correct = _awaits(Calls.correct)
    sweep = _awaits(Calls.sweep)
    calculate = _awaits(Calls.calculate)
    create_budget = _awaits(Calls.create_budget)
    change_budget = _awaits(Calls.change_budget)
    archive_budget = _awaits(Calls.archive_budget)
    create_policy = _awaits(Calls.create_policy)
    change_policy = _awaits(Calls.change_policy)
    archive_policy = _awaits(Calls.archive_policy)
    top_up = _awaits(Calls.top_up)
    set_limit = _awaits(Calls.set_limit)
    budget = _awaits(Calls.budget)
    budgets = _awaits(Calls.budgets)
    policy = _awaits(Calls.policy)
    policies = _awaits(Calls.policies)
    budget_policies = _awaits(Calls.budget_policies)
    top_ups = _awaits(Calls.top_ups)
    balances = _awaits(Calls.balances)
    allocation = _awaits(Calls.allocation)
    allocations = _awaits(Calls.allocations)
    allocation_of_context = _awaits(Calls.allocation_of_context)
    budget_allocations = _awaits(Calls.budget_allocations)
    usage_record = _awaits(Calls.usage_record)
    usage_records = _awaits(Calls.usage_records)
    usage_summary = _awaits(Calls.usage_summary)
    budget_summary = _awaits(Calls.budget_summary)
    standings = _awaits(Calls.standings)
    status = _awaits(Calls.status)
    make_request = _awaits(Calls.make_request)
    approve_request = _awaits(Calls.approve_request)
    reject_request = _awaits(Calls.reject_request)
    withdraw_request = _awaits(Calls.withdraw_request)
    request = _awaits(Calls.request)
    requests = _awaits(Calls.requests)
    budget_requests = _awaits(Calls.budget_requests)
    settings = _awaits(Calls.settings)
    change_settings = _awaits(Calls.change_settings)
    recommend = _awaits(Calls.recommend)
    estimate = _awaits(Calls.estimate)
    factors = _awaits(Calls.factors)
    learn = _awaits(Calls.learn)
    events = _awaits(Calls.events)
    audit = _awaits(Calls.audit)
    verify = _awaits(Calls.verify)
    seal = _awaits(Calls.seal)
    prices = _awaits(Calls.prices)
    current_price = _awaits(Calls.current_price)
    price_history = _awaits(Calls.price_history)
    compare_prices = _awaits(Calls.compare_prices)
    price_sources = _awaits(Calls.price_sources)
    price_updates = _awaits(Calls.price_updates)
    set_price = _awaits(Calls.set_price)
    end_price = _awaits(Calls.end_price)
    update_prices = _awaits(Calls.update_prices)
    accept_price = _awaits(Calls.accept_price)
    reject_price = _awaits(Calls.reject_price)
    rerate = _awaits(Calls.rerate)
    what_if = _awaits(Calls.what_if)
    coverage = _awaits(Calls.coverage)
    simulate = _awaits(Calls.simulate)
    explain = _awaits(Calls.explain)
    create_key = _awaits(Calls.create_key)
    change_key = _awaits(Calls.change_key)
    rotate_key = _awaits(Calls.rotate_key)
    revoke_key = _awaits(Calls.revoke_key)
    key = _awaits(Calls.key)
    keys = _awaits(Calls.keys)
    own_key = _awaits(Calls.own_key)
    login_link = _awaits(Calls.login_link)
    sessions = _awaits(Calls.sessions)
    session = _awaits(Calls.session)
    end_session = _awaits(Calls.end_session)
    alert = _awaits(Calls.alert)
    alerts = _awaits(Calls.alerts)
    acknowledge_alert = _awaits(Calls.acknowledge_alert)
    dismiss_alert = _awaits(Calls.dismiss_alert)
    check_alerts = _awaits(Calls.check_alerts)
    alert_settings = _awaits(Calls.alert_settings)
    change_alert_settings = _awaits(Calls.change_alert_settings)
    create_channel = _awaits(Calls.create_channel)
    change_channel = _awaits(Calls.change_channel)
    archive_channel = _awaits(Calls.archive_channel)
    rotate_channel_secret = _awaits(Calls.rotate_channel_secret)
    channel = _awaits(Calls.channel)
    channels = _awaits(Calls.channels)
    test_channel = _awaits(Calls.test_channel)
    deliveries = _awaits(Calls.deliveries)
    replay_delivery = _awaits(Calls.replay_delivery)
    replay_channel = _awaits(Calls.replay_channel)

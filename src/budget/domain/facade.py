"""The facade: the methods of books, for threads and for event loops, whoever has the books.

`engine.budget.Budget` and `client.Client` are both a `Facade`; `AsyncBudget` and `AsyncClient` are
both an `AsyncFacade`. So code that takes one takes the other. What each method takes and answers is
written in `domain.acts`.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from budget.domain.acts import Acts
from budget.domain.acts.act import Act
from budget.domain.answers import Event
from budget.domain.asks_reading import FollowAsk

P = ParamSpec("P")
T = TypeVar("T")


def _waits(
    method: Callable[Concatenate[Any, P], Act[T]],
) -> "Callable[Concatenate[Facade, P], T]":
    name = method.__name__

    @functools.wraps(method)
    def waiting(self: "Facade", /, *args: P.args, **kwargs: P.kwargs) -> T:
        act: Act[T] = getattr(self.acts, name)(*args, **kwargs)
        return self.run(act)

    return waiting


def _awaits(
    method: Callable[Concatenate[Any, P], Act[T]],
) -> "Callable[Concatenate[AsyncFacade, P], Awaitable[T]]":
    name = method.__name__

    @functools.wraps(method)
    def awaiting(self: "AsyncFacade", /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        act: Act[T] = getattr(self.acts, name)(*args, **kwargs)
        return self.run(act)

    return awaiting


class Facade(ABC):
    """Books, for code that runs in threads. Every method may be called from any thread."""

    acts: Acts

    @abstractmethod
    def run(self, act: Act[T], /) -> T:
        """Do an act that these `acts` made, and wait for its answer."""

    @abstractmethod
    def follow(self, **ask: Unpack[FollowAsk]) -> Iterator[Event]:
        """Events as they come, without end: those after a cursor, or from now on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the books."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    allocate = _waits(Acts.allocate)
    check = _waits(Acts.check)
    record = _waits(Acts.record)
    settle = _waits(Acts.settle)
    release = _waits(Acts.release)
    extend = _waits(Acts.extend)
    record_usage = _waits(Acts.record_usage)
    record_in_context = _waits(Acts.record_in_context)
    record_bulk = _waits(Acts.record_bulk)
    correct = _waits(Acts.correct)
    sweep = _waits(Acts.sweep)
    calculate = _waits(Acts.calculate)
    allocation = _waits(Acts.allocation)
    allocation_of_context = _waits(Acts.allocation_of_context)
    allocations = _waits(Acts.allocations)
    budget_allocations = _waits(Acts.budget_allocations)
    usage_record = _waits(Acts.usage_record)
    usage_records = _waits(Acts.usage_records)
    usage_summary = _waits(Acts.usage_summary)
    contexts = _waits(Acts.contexts)
    context = _waits(Acts.context)
    efficiency = _waits(Acts.efficiency)
    sizes = _waits(Acts.sizes)
    create_budget = _waits(Acts.create_budget)
    change_budget = _waits(Acts.change_budget)
    archive_budget = _waits(Acts.archive_budget)
    create_policy = _waits(Acts.create_policy)
    change_policy = _waits(Acts.change_policy)
    archive_policy = _waits(Acts.archive_policy)
    top_up = _waits(Acts.top_up)
    set_limit = _waits(Acts.set_limit)
    budget = _waits(Acts.budget)
    budgets = _waits(Acts.budgets)
    policy = _waits(Acts.policy)
    policies = _waits(Acts.policies)
    budget_policies = _waits(Acts.budget_policies)
    top_ups = _waits(Acts.top_ups)
    balances = _waits(Acts.balances)
    budget_summary = _waits(Acts.budget_summary)
    standings = _waits(Acts.standings)
    status = _waits(Acts.status)
    make_request = _waits(Acts.make_request)
    approve_request = _waits(Acts.approve_request)
    reject_request = _waits(Acts.reject_request)
    withdraw_request = _waits(Acts.withdraw_request)
    request = _waits(Acts.request)
    requests = _waits(Acts.requests)
    budget_requests = _waits(Acts.budget_requests)
    settings = _waits(Acts.settings)
    change_settings = _waits(Acts.change_settings)
    recommend = _waits(Acts.recommend)
    route_model = _waits(Acts.route_model)
    prices = _waits(Acts.prices)
    current_price = _waits(Acts.current_price)
    price_history = _waits(Acts.price_history)
    compare_prices = _waits(Acts.compare_prices)
    price_sources = _waits(Acts.price_sources)
    price_updates = _waits(Acts.price_updates)
    set_price = _waits(Acts.set_price)
    end_price = _waits(Acts.end_price)
    update_prices = _waits(Acts.update_prices)
    accept_price = _waits(Acts.accept_price)
    reject_price = _waits(Acts.reject_price)
    estimate = _waits(Acts.estimate)
    factors = _waits(Acts.factors)
    learn = _waits(Acts.learn)
    rerate = _waits(Acts.rerate)
    what_if = _waits(Acts.what_if)
    coverage = _waits(Acts.coverage)
    create_key = _waits(Acts.create_key)
    change_key = _waits(Acts.change_key)
    rotate_key = _waits(Acts.rotate_key)
    revoke_key = _waits(Acts.revoke_key)
    key = _waits(Acts.key)
    own_key = _waits(Acts.own_key)
    keys = _waits(Acts.keys)
    login_link = _waits(Acts.login_link)
    sessions = _waits(Acts.sessions)
    session = _waits(Acts.session)
    end_session = _waits(Acts.end_session)
    events = _waits(Acts.events)
    audit = _waits(Acts.audit)
    verify = _waits(Acts.verify)
    seal = _waits(Acts.seal)
    confirm_clock = _waits(Acts.confirm_clock)
    create_channel = _waits(Acts.create_channel)
    change_channel = _waits(Acts.change_channel)
    archive_channel = _waits(Acts.archive_channel)
    rotate_channel_secret = _waits(Acts.rotate_channel_secret)
    channel = _waits(Acts.channel)
    channels = _waits(Acts.channels)
    test_channel = _waits(Acts.test_channel)
    deliveries = _waits(Acts.deliveries)
    replay_delivery = _waits(Acts.replay_delivery)
    replay_channel = _waits(Acts.replay_channel)
    alert = _waits(Acts.alert)
    alerts = _waits(Acts.alerts)
    explain_alert = _waits(Acts.explain_alert)
    acknowledge_alert = _waits(Acts.acknowledge_alert)
    dismiss_alert = _waits(Acts.dismiss_alert)
    check_alerts = _waits(Acts.check_alerts)
    alert_settings = _waits(Acts.alert_settings)
    change_alert_settings = _waits(Acts.change_alert_settings)
    simulate = _waits(Acts.simulate)
    explain = _waits(Acts.explain)
    plan_tasks = _waits(Acts.plan_tasks)
    project_progress = _waits(Acts.project_progress)


class AsyncFacade(ABC):
    """Books, for code on an event loop; otherwise as `Facade`."""

    acts: Acts

    @abstractmethod
    async def run(self, act: Act[T], /) -> T:
        """Do an act that these `acts` made, and wait for its answer."""

    @abstractmethod
    def follow(self, **ask: Unpack[FollowAsk]) -> AsyncIterator[Event]:
        """Events as they come, without end: those after a cursor, or from the first step on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the books."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    allocate = _awaits(Acts.allocate)
    check = _awaits(Acts.check)
    record = _awaits(Acts.record)
    settle = _awaits(Acts.settle)
    release = _awaits(Acts.release)
    extend = _awaits(Acts.extend)
    record_usage = _awaits(Acts.record_usage)
    record_in_context = _awaits(Acts.record_in_context)
    record_bulk = _awaits(Acts.record_bulk)
    correct = _awaits(Acts.correct)
    sweep = _awaits(Acts.sweep)
    calculate = _awaits(Acts.calculate)
    allocation = _awaits(Acts.allocation)
    allocation_of_context = _awaits(Acts.allocation_of_context)
    allocations = _awaits(Acts.allocations)
    budget_allocations = _awaits(Acts.budget_allocations)
    usage_record = _awaits(Acts.usage_record)
    usage_records = _awaits(Acts.usage_records)
    usage_summary = _awaits(Acts.usage_summary)
    contexts = _awaits(Acts.contexts)
    context = _awaits(Acts.context)
    efficiency = _awaits(Acts.efficiency)
    sizes = _awaits(Acts.sizes)
    create_budget = _awaits(Acts.create_budget)
    change_budget = _awaits(Acts.change_budget)
    archive_budget = _awaits(Acts.archive_budget)
    create_policy = _awaits(Acts.create_policy)
    change_policy = _awaits(Acts.change_policy)
    archive_policy = _awaits(Acts.archive_policy)
    top_up = _awaits(Acts.top_up)
    set_limit = _awaits(Acts.set_limit)
    budget = _awaits(Acts.budget)
    budgets = _awaits(Acts.budgets)
    policy = _awaits(Acts.policy)
    policies = _awaits(Acts.policies)
    budget_policies = _awaits(Acts.budget_policies)
    top_ups = _awaits(Acts.top_ups)
    balances = _awaits(Acts.balances)
    budget_summary = _awaits(Acts.budget_summary)
    standings = _awaits(Acts.standings)
    status = _awaits(Acts.status)
    make_request = _awaits(Acts.make_request)
    approve_request = _awaits(Acts.approve_request)
    reject_request = _awaits(Acts.reject_request)
    withdraw_request = _awaits(Acts.withdraw_request)
    request = _awaits(Acts.request)
    requests = _awaits(Acts.requests)
    budget_requests = _awaits(Acts.budget_requests)
    settings = _awaits(Acts.settings)
    change_settings = _awaits(Acts.change_settings)
    recommend = _awaits(Acts.recommend)
    route_model = _awaits(Acts.route_model)
    prices = _awaits(Acts.prices)
    current_price = _awaits(Acts.current_price)
    price_history = _awaits(Acts.price_history)
    compare_prices = _awaits(Acts.compare_prices)
    price_sources = _awaits(Acts.price_sources)
    price_updates = _awaits(Acts.price_updates)
    set_price = _awaits(Acts.set_price)
    end_price = _awaits(Acts.end_price)
    update_prices = _awaits(Acts.update_prices)
    accept_price = _awaits(Acts.accept_price)
    reject_price = _awaits(Acts.reject_price)
    estimate = _awaits(Acts.estimate)
    factors = _awaits(Acts.factors)
    learn = _awaits(Acts.learn)
    rerate = _awaits(Acts.rerate)
    what_if = _awaits(Acts.what_if)
    coverage = _awaits(Acts.coverage)
    create_key = _awaits(Acts.create_key)
    change_key = _awaits(Acts.change_key)
    rotate_key = _awaits(Acts.rotate_key)
    revoke_key = _awaits(Acts.revoke_key)
    key = _awaits(Acts.key)
    own_key = _awaits(Acts.own_key)
    keys = _awaits(Acts.keys)
    login_link = _awaits(Acts.login_link)
    sessions = _awaits(Acts.sessions)
    session = _awaits(Acts.session)
    end_session = _awaits(Acts.end_session)
    events = _awaits(Acts.events)
    audit = _awaits(Acts.audit)
    verify = _awaits(Acts.verify)
    seal = _awaits(Acts.seal)
    confirm_clock = _awaits(Acts.confirm_clock)
    create_channel = _awaits(Acts.create_channel)
    change_channel = _awaits(Acts.change_channel)
    archive_channel = _awaits(Acts.archive_channel)
    rotate_channel_secret = _awaits(Acts.rotate_channel_secret)
    channel = _awaits(Acts.channel)
    channels = _awaits(Acts.channels)
    test_channel = _awaits(Acts.test_channel)
    deliveries = _awaits(Acts.deliveries)
    replay_delivery = _awaits(Acts.replay_delivery)
    replay_channel = _awaits(Acts.replay_channel)
    alert = _awaits(Acts.alert)
    alerts = _awaits(Acts.alerts)
    explain_alert = _awaits(Acts.explain_alert)
    acknowledge_alert = _awaits(Acts.acknowledge_alert)
    dismiss_alert = _awaits(Acts.dismiss_alert)
    check_alerts = _awaits(Acts.check_alerts)
    alert_settings = _awaits(Acts.alert_settings)
    change_alert_settings = _awaits(Acts.change_alert_settings)
    simulate = _awaits(Acts.simulate)
    explain = _awaits(Acts.explain)
    plan_tasks = _awaits(Acts.plan_tasks)
    project_progress = _awaits(Acts.project_progress)

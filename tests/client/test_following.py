"""Events are followed through a service as in-process, whatever becomes of the connection."""

import asyncio
import contextlib
import itertools
import random
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from budget.client import AsyncClient, Client
from budget.domain.answers import Event
from budget.domain.cursors import encode
from budget.domain.errors import InvalidInput, Unauthorized, Unavailable
from budget.domain.wire.journal import event
from budget.engine.budget import Budget
from tests.client.test_faults import HTML, answering
from tests.client.ways import Ways
from tests.http.running import Running, migrate, running
from tests.support.databases import SqliteDatabases


def spend(budget: Budget | Client, times: int) -> list[str]:
    usage: Any = {"provider": "acme", "model": "m-1", "input_tokens": 1, "cost": "0.01"}
    return [budget.record_usage(**usage).usage_id for _ in range(times)]


@contextlib.contextmanager
def cutting(url: str, chosen: random.Random, most: int) -> Iterator[tuple[str, list[int]]]:
    """A relay to a service that cuts each connection after some bytes of answers."""
    parts = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    cuts: list[int] = []

    def relay(near: socket.socket) -> None:
        left = chosen.randrange(1, most)
        with near, socket.create_connection((parts.hostname or "", parts.port or 0)) as far:
            with contextlib.suppress(OSError):
                far.sendall(near.recv(65536))
                while left > 0 and (data := far.recv(4096)):
                    near.sendall(data[:left])
                    left -= len(data)
            cuts.append(left)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=relay, args=(near,), daemon=True).start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", cuts
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def shown(one: Event) -> Any:
    return event(one, encode(one.cursor))


def test_events_are_followed_alike(alone: Ways) -> None:
    followed, ours = alone.client.follow(), alone.budget.follow()
    spend(alone.client, 2)
    alone.client.create_budget(
        name="A", policies=[{"unit": "usd", "period": "daily", "limit": "5"}]
    )
    spend(alone.budget, 2)
    told = [next(followed) for _ in range(5)]
    assert [one.kind for one in told][:3] == ["reported", "reported", "budget_created"]
    assert list(map(shown, told)) == list(map(shown, itertools.islice(ours, 5)))
    resumed = alone.client.follow(after=told[0].cursor, topics=["budget_events"])
    assert next(resumed) == told[2]

    async def awaited() -> Any:
        events = alone.aclient.follow(after=told[0].cursor)
        return [await anext(events) for _ in range(4)]

    assert alone.runner.run(awaited()) == told[1:]


def test_nothing_is_lost_and_nothing_comes_twice_when_connections_break(service: Running) -> None:
    chosen = random.Random(5)
    books = Budget(service.books)
    with (
        cutting(service.url, chosen, 6_000) as (url, cuts),
        Client(url, service.key) as client,
    ):
        begun = books.follow()
        spend(books, 1)
        first = next(begun)
        followed = client.follow(after=first.cursor)
        usage_ids = spend(books, 60)
        assert [next(followed).usage_id for _ in range(60)] == usage_ids
    assert len(cuts) >= 3


def test_a_service_that_is_started_anew_is_followed_on(sqlite_databases: SqliteDatabases) -> None:
    target = sqlite_databases.new(migrate)
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        with running(target) as service:
            client = stack.enter_context(Client(service.url, service.key))
            aclient = AsyncClient(service.url, service.key)
            stack.callback(lambda: runner.run(aclient.close()))
            followed = client.follow()
            usage_ids = spend(client, 3)
            told = [next(followed)]
            awaited = aclient.follow(after=told[0].cursor)
            second = runner.run(step(awaited))
        with Budget.open(target, sweep=False) as books:  # while no service runs
            usage_ids += spend(books, 3)
        with running(target, port=urlsplit(service.url).port or 0):
            usage_ids += spend(client, 3)
            told += [next(followed) for _ in range(8)]
            assert [one.usage_id for one in told] == usage_ids
            assert [second, *(runner.run(step(awaited)) for _ in range(7))] == told[1:]


async def step(events: AsyncIterator[Event]) -> Event:
    return await anext(events)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"topics": ["nope"]}, "topics"),
        ({"topics": "budget_events"}, "topics"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["nope"]}, "kinds"),
        ({"after": "nope"}, "after"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_what_is_wrong_is_said_at_once(both: Ways, asked: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        both.client.follow(**asked)
    assert refused.value.field == field


def test_who_may_not_come_in_is_told(both: Ways) -> None:
    with Client(both.service.url, "bud_0_nope") as client, pytest.raises(Unauthorized):
        client.follow()


def test_what_is_not_budget_is_told() -> None:
    with (
        answering(HTML) as (url, _),
        Client(url, "k") as client,
        pytest.raises(Unavailable, match="not as Budget does"),
    ):
        client.follow()

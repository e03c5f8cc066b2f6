"""Connections are cut at random bytes: an act is done once, was not done, or its doubt is told."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from budget.client import AsyncClient, Client
from budget.domain.errors import OutcomeUnknown, Unavailable
from tests.client.ways import Ways
from tests.fakes.cutting import CuttingProxy
from tests.support.results import report

CHANCE = 0.12
"""Often enough that some acts use up their tries."""

BUDGET: dict[str, Any] = {
    "name": "cut",
    "scope": {"org": "cut"},
    "policies": [{"unit": "tokens", "period": "total", "limit": 10**9}],
}
USED: dict[str, Any] = {"input_tokens": 3, "output_tokens": 2, "cost": "0.01"}
HELD_TOKENS = 10


class Step(NamedTuple):
    """One act of a call: the method, the id of what it makes, and what is asked."""

    method: str
    made: str
    args: tuple[str, ...]
    asked: dict[str, Any]


def _steps(number: int) -> Iterator[Step]:
    """A hold that is settled, or one that stays, or usage that nobody reserved."""
    hold, usage, scope = f"alloc-{number}", f"use-{number}", {"org": "cut"}
    if number % 3 == 0:
        yield Step("record_usage", usage, (), {"usage_id": usage, "attributes": scope, **USED})
        return
    asked = {"allocation_id": hold, "attributes": scope, "tokens": HELD_TOKENS}
    yield Step("allocate", hold, (), asked)
    if number % 3 == 1:
        yield Step("settle", usage, (hold,), {"usage_id": usage, **USED})


def _fate(act: Callable[[], object]) -> str:
    try:
        act()
    except OutcomeUnknown:
        return "unknown"
    except Unavailable:
        return "not done"
    return "done"


async def _fate_async(act: Callable[[], Any]) -> str:
    try:
        await act()
    except OutcomeUnknown:
        return "unknown"
    except Unavailable:
        return "not done"
    return "done"


def _by_threads(client: Client, numbers: range) -> dict[str, str]:
    """What became of each act, as the client tells it."""
    told: dict[str, str] = {}

    def call(number: int) -> None:
        for step in _steps(number):
            method = getattr(client, step.method)
            told[step.made] = _fate(lambda: method(*step.args, **step.asked))  # noqa: B023
            if told[step.made] != "done":
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, numbers))
    return told


async def _on_a_loop(url: str, key: str, numbers: range) -> dict[str, str]:
    told: dict[str, str] = {}
    turns = asyncio.Semaphore(20)

    async def call(client: AsyncClient, number: int) -> None:
        async with turns:
            for step in _steps(number):
                method = getattr(client, step.method)
                act = lambda: method(*step.args, **step.asked)  # noqa: B023, E731
                told[step.made] = await _fate_async(act)
                if told[step.made] != "done":
                    return

    async with AsyncClient(url, key, retries=1) as client:
        await asyncio.gather(*(call(client, number) for number in numbers))
    return told


def _all(read: Callable[..., Any]) -> Iterator[Any]:
    cursor = None
    while True:
        page = read(cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.mark.parametrize("calls", [120, pytest.param(2_000, marks=pytest.mark.faults)])
def test_what_the_client_tells_of_cut_connections_is_true(alone: Ways, calls: int) -> None:
    books, service = alone.budget, alone.service
    policy_id = books.create_budget(**BUDGET).policies[0].policy_id
    seed = random.randrange(2**32)
    with CuttingProxy(service.url, chance=CHANCE, seed=seed) as proxy:
        with Client(proxy.url, service.key, retries=1) as client:
            told = _by_threads(client, range(calls // 2))
        told |= asyncio.run(_on_a_loop(proxy.url, service.key, range(calls // 2, calls)))
        cuts, halved = proxy.cuts, proxy.halved
    booked = Counter(record.usage_id for record in _all(books.usage_records))
    held = {hold.allocation_id: hold.status for hold in _all(books.allocations)}
    fates = Counter(told.values())
    report(
        "client, connections cut", calls=calls, seed=seed, cut_to=cuts["to"],
        cut_from=cuts["from"], halved=halved, done=fates["done"], unknown=fates["unknown"],
        not_done=fates["not done"],
        unknown_but_done=sum(
            fate == "unknown" and (made in booked or made in held) for made, fate in told.items()
        ),
    )  # fmt: skip
    assert cuts["to"]
    assert cuts["from"]
    assert set(booked.values()) == {1}
    for made, fate in told.items():
        assert fate == "unknown" or (made in booked or made in held) == (fate == "done"), made
    settled = {made.replace("use-", "alloc-") for made in booked} & set(held)
    assert {hold for hold, status in held.items() if status == "settled"} == settled
    (balance,) = books.balances(policy_id).items
    assert balance.spent == 5 * len(booked)
    assert balance.reserved == HELD_TOKENS * (len(held) - len(settled))
    assert not books.verify().violations

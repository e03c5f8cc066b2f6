"""Many at once: every call is answered, and of none anything is left behind."""

import asyncio
import gc
from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp.server.lowlevel.server import Server  # noqa: F401 - loaded before things are counted

from tests.http.running import Running
from tests.mcp.speaking import MODES, Mode, speaking, told
from tests.mcp.test_abuse import sessions
from tests.support.results import report

HOLD: dict[str, Any] = {"context_id": "c", "component": "x", "amount": 1}
SECONDS = 30


async def call_at_once(service: Running, mode: Mode, clients: int, calls: int) -> int:
    """Each client calls a tool so many times at once; how many sessions there were meanwhile."""
    async with AsyncExitStack() as opened:
        speakers = [
            await opened.enter_async_context(speaking(service, mode)) for _ in range(clients)
        ]
        for one in speakers:
            await one.list_tools()
        answers = await asyncio.gather(
            *(one.call_tool("AllocateBudget", HOLD) for one in speakers for _ in range(calls))
        )
        ids = {told(answer)["allocation_id"] for answer in answers}
        assert len(ids) == clients * calls
        return sessions(service)


def tasks(service: Running) -> int:
    """How many tasks the loop of the service has."""
    gc.collect()
    assert service.app is not None
    transport = service.app._service.mcp
    assert transport is not None
    running = transport._running
    assert running is not None
    return len(asyncio.all_tasks(running.get_loop()))


async def until_gone(service: Running, before: int) -> None:
    async with asyncio.timeout(SECONDS):
        while sessions(service) or tasks(service) > before:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("clients", "calls"), [(3, 6), pytest.param(50, 20, marks=pytest.mark.faults)]
)
def test_of_many_calls_at_once_each_is_answered_and_no_session_is_left(
    service: Running, mode: Mode, clients: int, calls: int
) -> None:
    async def run() -> int:
        await call_at_once(service, mode, 1, 1)  # what is made once is made
        await until_gone(service, 10**6)
        before = tasks(service)
        most = await call_at_once(service, mode, clients, calls)
        await until_gone(service, before)
        return most

    most = asyncio.run(run())
    assert most == (clients if mode == "legacy" else 0)
    report("mcp", mode=mode, calls=clients * calls, sessions_meanwhile=most, sessions_left=0)


def test_streams_end_in_order_when_the_service_stops(service: Running) -> None:
    """A service that stops tells who listens, and does not wait for them to go."""
    assert service.app is not None
    app = service.app

    async def run() -> None:
        async with (
            speaking(service) as client,
            client.listen(resource_subscriptions=["budget://status"]) as heard,
        ):
            transport = app._service.mcp
            assert transport is not None
            assert transport._running is not None
            loop = transport._running.get_loop()
            closing = asyncio.run_coroutine_threadsafe(transport.close(), loop)
            async with asyncio.timeout(SECONDS):
                async for _ in heard:  # the end is told, so this is no error
                    pass
            await asyncio.wrap_future(closing)

    asyncio.run(run())

"""MCP over HTTP through the official client: how long a call of a tool takes in each revision, what
a thousand at once come to, and what the service keeps of them afterwards.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from benchmarks.books import three_levels
from benchmarks.figures import Figure, percentile
from benchmarks.service import post, rss_mb, service

CALLS: Final = 400
AT_ONCE: Final = 1_000
CLIENTS: Final = 25
REVISIONS: Final = {"2026-07-28": "auto", "2025-11-25": "legacy"}
ASK: Final[dict[str, Any]] = {"context_id": "bench", "component": "bench", "amount": 10}


@asynccontextmanager
async def speaking(url: str, key: str, mode: str) -> AsyncIterator[Client]:
    """A client of the official SDK."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def _one_after_another(url: str, key: str, mode: str) -> list[float]:
    """Milliseconds of each call of a client that waits for each answer."""
    took = []
    async with speaking(url, key, mode) as client:
        await client.list_tools()
        for at in range(CALLS + 20):
            since = time.perf_counter()
            told = await client.call_tool("AllocateBudget", ASK)
            if at >= 20:
                took.append((time.perf_counter() - since) * 1000)
            assert told.structured_content["allowed"], told
    return took


async def _at_once(url: str, key: str, mode: str) -> float:
    """Seconds of a thousand calls that are sent at once, by some clients."""
    async with AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(speaking(url, key, mode)) for _ in range(CLIENTS)
        ]
        for client in clients:  # it reads the list of tools before it believes an answer
            await client.list_tools()
        since = time.perf_counter()
        told = await asyncio.gather(
            *(clients[at % CLIENTS].call_tool("AllocateBudget", ASK) for at in range(AT_ONCE))
        )
        took = time.perf_counter() - since
    assert all(one.structured_content["allowed"] for one in told)
    return took


def speaking_mcp() -> Iterator[Figure]:
    """The figures."""
    with service() as (url, key, pid):
        three_levels(lambda **ask: post(url, key, "/api/v1/budgets", ask))
        before = rss_mb(pid)
        for revision, mode in REVISIONS.items():
            took = asyncio.run(_one_after_another(url, key, mode))
            p50, p99 = statistics.median(took), percentile(took, 0.99)
            goal = {"goal": 15, "at_least": False}
            yield Figure(f"MCP {revision}: AllocateBudget, p50", p50, "ms", **goal)  # type: ignore[arg-type]
            yield Figure(f"MCP {revision}: AllocateBudget, p99", p99, "ms")
        yield Figure("RSS that MCP adds at its first use", rss_mb(pid) - before, "MB")
        for revision, mode in REVISIONS.items():
            rate = AT_ONCE / asyncio.run(_at_once(url, key, mode))
            yield Figure(f"MCP {revision}: {AT_ONCE} calls at once", rate, "/s")
        yield Figure("RSS after 2,000 calls at once", rss_mb(pid) - before, "MB", note="added")

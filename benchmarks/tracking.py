"""Tracking: what `budget.track` adds to a call of OpenAI's SDK, by a provider on this machine.

Bare and tracked calls take turns, so that what else the machine does slows both. The provider is a
process of its own, as a real one is: `python -m benchmarks.tracking` is that process.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, Final

import openai

import budget
from benchmarks.figures import Figure
from benchmarks.service import service
from budget import Budget
from budget.client import Client
from budget.sdk.books import Books
from tests.fakes.providers import Providers

CALLS: Final = 300
WARM_UP: Final = 40
ASKED: Final[Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say five words."}],
}
LIMITED: Final[Any] = {
    "name": "Bench",
    "policies": [
        {"unit": "usd", "period": "daily", "limit": "100", "enforcement": "hard_limit"},
    ],
}


def tracking() -> Iterator[Figure]:
    """The overhead in this process and through a service, sync and async."""
    with provider() as url:
        with (
            tempfile.TemporaryDirectory() as folder,
            Budget.open(f"sqlite:///{folder}/bench.db") as books,
        ):
            books.create_budget(**LIMITED)
            yield _figure("SQLite in-process", _sync(url, books), 1.5)
            yield _figure("SQLite in-process, async", asyncio.run(_async(url, books)), 1.5)
        with service() as (address, key, _), Client(address, key=key) as client:
            client.create_budget(**LIMITED)
            yield _figure("through a service", _sync(url, client), 3)
            yield _figure("through a service, async", asyncio.run(_async(url, client)), 3)


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """A fake provider in a process of its own: what OpenAI's SDK takes as base_url."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.tracking"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def _figure(name: str, times: tuple[list[float], list[float]], goal_ms: float) -> Figure:
    bare, tracked = (statistics.median(some[WARM_UP:]) * 1000 for some in times)
    return Figure(
        f"track() adds at the median, {name}", tracked - bare, "ms", goal_ms, at_least=False,
        note=f"bare {bare:.2f} ms, tracked {tracked:.2f} ms",
    )  # fmt: skip


def _sync(url: str, books: Books) -> tuple[list[float], list[float]]:
    """Seconds of each call, bare and tracked."""
    with (
        openai.OpenAI(base_url=url, api_key="bench") as bare,
        openai.OpenAI(base_url=url, api_key="bench") as other,
    ):
        times: tuple[list[float], list[float]] = [], []
        pairs = tuple(zip((bare, budget.track(other, books=books)), times, strict=True))
        for _ in range(WARM_UP + CALLS):
            for client, taken in pairs:
                began = time.perf_counter()
                client.chat.completions.create(**ASKED)
                taken.append(time.perf_counter() - began)
        return times


async def _async(url: str, books: Books) -> tuple[list[float], list[float]]:
    """The same on an event loop."""
    async with (
        openai.AsyncOpenAI(base_url=url, api_key="bench") as bare,
        openai.AsyncOpenAI(base_url=url, api_key="bench") as other,
    ):
        times: tuple[list[float], list[float]] = [], []
        pairs = tuple(zip((bare, budget.track(other, books=books)), times, strict=True))
        for _ in range(WARM_UP + CALLS):
            for client, taken in pairs:
                began = time.perf_counter()
                await client.chat.completions.create(**ASKED)
                taken.append(time.perf_counter() - began)
        return times


if __name__ == "__main__":
    with Providers() as running:
        sys.stdout.write(f"{running.openai_url}\n")
        sys.stdout.flush()
        sys.stdin.read()  # until who started it is done

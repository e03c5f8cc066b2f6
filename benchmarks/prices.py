"""Prices: how fast calls are priced, how soon after the start, and what the book weighs.

What is measured in a fresh process runs there as a program of its own, with nothing loaded before.
"""

import itertools
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.figures import Figure, median_of
from benchmarks.ledger import sqlite_url
from budget.domain.pricing import cost_nanos
from budget.domain.usage import Usage, units_of
from budget.prices.book import PriceBook, bundled_book
from budget.prices.schedules import Context

CALLS: Final = 300_000
STARTS: Final = 7
AT_US: Final = 1_795_608_000_000_000
"""25 November 2026, noon UTC."""

Call = tuple[str, str, Context, Usage]

MODELS: Final = (
    ("openai", "gpt-4o"), ("openai", "gpt-5.4"), ("openai", "gpt-6.1-sol"),
    ("openai", "gpt-realtime"), ("anthropic", "claude-sonnet-4-6"),
    ("anthropic", "claude-haiku-5-5"), ("anthropic", "claude-opus-5-5"),
    ("google", "gemini-2.5-pro"), ("google", "gemini-2.5-flash"), ("google", "gemini-3.8-flash"),
    ("x-ai", "grok-4.7"), ("deepseek", "deepseek-flash"), ("mistral", "mistral-large-latest"),
    ("aws", "us.anthropic.claude-sonnet-5-5"), ("azure", "gpt-4o"), ("groq", "openai/gpt-oss-120b"),
    ("openrouter", "anthropic/claude-sonnet-4.5"), ("cohere", "command-a"), ("perplexity", "sonar"),
    ("moonshotai", "kimi-k3"),
)  # fmt: skip


def calls(count: int = 5_000) -> list[Call]:
    """Calls of many models, a tenth in batches, with usage of all sizes, half of it cached."""
    chance = random.Random(3)
    made: list[Call] = []
    for (provider, model), _ in zip(itertools.cycle(MODELS), range(count), strict=False):
        total = int(chance.lognormvariate(8, 2)) + 10
        output = int(chance.lognormvariate(6, 1))
        read = total // 2 if chance.random() < 0.5 else 0
        write = total // 10 if chance.random() < 0.2 else 0
        heard = {"input_audio_tokens": total // 10} if chance.random() < 0.05 else {}
        context: Context = (("processing", "batch"),) if chance.random() < 0.1 else ()
        reasoning = output // 2
        usage = Usage(total, output, read, write, 0, reasoning, 1, units_of(heard))
        made.append((provider, model, context, usage))
    return made


def priced_a_second(book: PriceBook, asked: list[Call]) -> float:
    """Costs worked out a second: the rates of a call's model at its time, and what it costs."""
    lookup, at_us = book.lookup, AT_US
    rounds = CALLS // len(asked)
    since = time.perf_counter()
    for _ in range(rounds):
        for provider, model, context, usage in asked:
            at_us += 1_000
            rates = lookup(provider, model, at_us, context)
            if rates is not None:
                cost_nanos(rates, usage)
    return rounds * len(asked) / (time.perf_counter() - since)


_FIRST: Final = """
from budget.domain.pricing import cost_nanos
from budget.domain.usage import Usage
from budget.prices.book import bundled_book
rates = bundled_book().lookup("openai", "gpt-4o", 1_795_608_000_000_000)
assert cost_nanos(rates, Usage(1_000, 500)) == 7_500_000
"""

_FIRST_OF_A_LEDGER: Final = """
import sys, time
from budget.engine.budget import Budget
since = time.perf_counter()
with Budget.open(sys.argv[1]) as budget:
    told = budget.calculate(
        provider="openai", model="gpt-4o", input_tokens=1_000, output_tokens=500
    )
    print(time.perf_counter() - since)
assert told.cost.cost_nanos == 7_500_000
"""

_WEIGHT: Final = """
import gc, resource
def resident():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
import budget.domain.pricing, budget.domain.usage, budget.prices.book
gc.collect()
before = resident()
from budget.prices.book import bundled_book
from budget.prices.bundled import bundled_prices
book = bundled_book()
models = list(bundled_prices().models())
for provider, model in models:
    book.lookup(provider, model, 1_795_608_000_000_000)
    book.lookup(provider, model, 1_795_608_000_000_000, (("processing", "batch"),))
gc.collect()
print(resident() - before, len(models))
"""


def _run(program: str, *arguments: str) -> str:
    """What a program prints, run by a fresh interpreter."""
    heard = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return heard.stdout


def _first_price(name: str, seconds: Callable[[], float]) -> Figure:
    """A figure of several starts; one before them fills the caches of the disk."""
    took = [seconds() for _ in range(STARTS + 1)][1:]
    return Figure(
        name, statistics.median(took), "s", 0.5, False,
        note=f"({min(took):.2f} to {max(took):.2f} s)",
    )  # fmt: skip


def _whole_run() -> float:
    """Seconds of a process that says what one call costs, with Python's own start and end."""
    since = time.perf_counter()
    _run(_FIRST)
    return time.perf_counter() - since


def pricing() -> Iterator[Figure]:
    """The figures of the price book."""
    book, asked = bundled_book(), calls()
    priced_a_second(book, asked)  # every name is looked up once
    rate = median_of(lambda: priced_a_second(book, asked), 5)
    yield Figure(
        "prices: costs worked out in one process, cached rates", rate, "/s", 150_000,
        note=f"({len(MODELS)} models, {len(asked):,} different calls)",
    )  # fmt: skip
    yield _first_price("prices: a process that prices one call, from start to end", _whole_run)
    with sqlite_url() as url:
        yield _first_price(
            "prices: from opening a ledger to its first price",
            lambda: float(_run(_FIRST_OF_A_LEDGER, url)),
        )
    weight, models = map(float, _run(_WEIGHT).split())
    yield Figure(
        "prices: memory of the book, every model looked up", weight, "MB", 60, False,
        note=f"({models:,.0f} models)",
    )  # fmt: skip

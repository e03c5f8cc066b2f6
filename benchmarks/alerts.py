"""Alerts beside the ledger: what raising them costs the hot path, and what a look takes."""

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator

import uvloop

from benchmarks.books import CALLERS, USED, ask, new_key, prices
from benchmarks.figures import Figure
from benchmarks.ledger import sqlite_url
from budget.engine.alerts import watching
from budget.engine.budget import AsyncBudget, Budget

ROUNDS = 5
SECONDS = 4.0
CALLS = 20
"""Of one partition, then the next begins. A call costs 0.00506 USD."""
ALERTING = "0.1"
"""USD: the 16th call of a partition passes its warning, the 19th its action, the 20th its limit."""
QUIET = "1000"


def alerts() -> Iterator[Figure]:
    """The figures of alerts."""
    with sqlite_url() as alerting, sqlite_url() as quiet:
        _prepared(alerting, ALERTING)
        _prepared(quiet, QUIET)
        ratios, of_cpu = [], []
        for number in range(ROUNDS):
            without, without_cpu = _throughput(quiet, number)
            rate, rate_cpu = _throughput(alerting, number)
            ratios.append(rate / without)
            of_cpu.append(rate_cpu / without_cpu)
        with Budget.open(alerting, prices=prices()) as budget:
            raised = _count(budget)
            yield Figure(
                "alerts: commands/s with 3 alerts in 40 commands to those without",
                statistics.median(ratios), "", 0.85, note=f"({raised:,} alerts)",
            )  # fmt: skip
            yield Figure(
                "alerts: the same for each second of processor time", statistics.median(of_cpu),
                "", 0.85,
            )  # fmt: skip
            yield from _looks(budget)
    yield _unreserved()


def _prepared(url: str, limit_usd: str) -> None:
    """A budget of the whole, which never alerts, and one of each user, which may."""
    with Budget.open(url, prices=prices()) as budget:
        for per, limit in (([], "1000000"), (["user"], limit_usd)):
            budget.create_budget(
                name="level",
                scope={"org": "acme"},
                per=per,
                policies=[
                    {"unit": "usd", "period": "monthly", "limit": limit, "enforcement": "warn"},
                    {"unit": "requests", "period": "monthly", "limit": 10**12},
                ],
            )


def _throughput(url: str, number: int) -> tuple[float, float]:
    """Commands per second, and per second of processor time, of callers who go on and on."""

    async def drive() -> tuple[float, float]:
        async with await AsyncBudget.open(url, prices=prices()) as budget:
            done = 0
            ends_at = time.perf_counter() + SECONDS + 1.0

            async def caller(name: int) -> None:
                nonlocal done
                calls = 0
                while time.perf_counter() < ends_at:
                    asked = ask(name)
                    asked["attributes"]["user"] = f"{number}-{name}-{calls // CALLS}"
                    held = await budget.allocate(**asked)
                    await budget.settle(
                        held.allocation_id,  # type: ignore[union-attr]
                        idempotency_key=new_key(),
                        **USED,  # type: ignore[arg-type]
                    )
                    calls += 1
                    done += 2

            tasks = [asyncio.create_task(caller(name)) for name in range(CALLERS)]
            await asyncio.sleep(1.0)
            before, since, worked = done, time.perf_counter(), time.process_time()
            await asyncio.sleep(SECONDS - 0.1)
            commands = done - before
            rate = commands / (time.perf_counter() - since)
            of_cpu = commands / (time.process_time() - worked)
            await asyncio.gather(*tasks)
            return rate, of_cpu

    return uvloop.run(drive())


def _unreserved() -> Figure:
    """Usage that nobody reserved on hard limits, each of which alerts, against one that may not."""
    with sqlite_url() as alerting, sqlite_url() as quiet:
        for url, off in ((alerting, []), (quiet, ["unreserved"])):
            with Budget.open(url, prices=prices()) as budget:
                budget.change_alert_settings(off=off)
                budget.create_budget(
                    name="level",
                    per=["user"],
                    policies=[
                        {"unit": "usd", "period": "daily", "limit": 10**6,
                         "enforcement": "hard_limit"},
                    ],
                )  # fmt: skip
        ratios = []
        for _ in range(ROUNDS):
            without = _reports(quiet)
            ratios.append(_reports(alerting) / without)
    return Figure(
        "alerts: usage/s on 64 hard limits that alert of it to those that do not",
        statistics.median(ratios), "", 0.85,
    )  # fmt: skip


def _reports(url: str) -> float:
    async def drive() -> float:
        async with await AsyncBudget.open(url, prices=prices()) as budget:
            since, done = time.perf_counter(), 0

            async def caller(name: int) -> None:
                nonlocal done
                while time.perf_counter() < since + SECONDS:
                    asked = {**ask(name), "attributes": {"user": f"user-{name}"}}
                    del asked["max_output_tokens"]
                    await budget.record_usage(**asked)
                    done += 1

            await asyncio.gather(*(caller(name) for name in range(CALLERS)))
            return done / (time.perf_counter() - since)

    return uvloop.run(drive())


def _count(budget: Budget) -> int:
    cursor, found = None, 0
    while True:
        page = budget.alerts(status="all", limit=1000, cursor=cursor)
        found, cursor = found + len(page.items), page.next_cursor
        if cursor is None:
            return found


def _looks(budget: Budget) -> Iterator[Figure]:
    """How long a round of a service takes, and a look at everything."""
    took, places = [], watching.Places()
    for _ in range(5):
        since = time.perf_counter()
        _, places = watching.look_on(budget.books, places)
        took.append((time.perf_counter() - since) * 1000)
    yield Figure("alerts: a round of looking, at most", max(took), "ms", 2000, False)
    since = time.perf_counter()
    watching.look(budget.books)
    took_ms = (time.perf_counter() - since) * 1000
    yield Figure("alerts: a look at everything", took_ms, "ms")


if __name__ == "__main__":
    for figure in alerts():
        sys.stdout.write(f"{figure.name}: {figure.value:.3f} {figure.unit} {figure.note}\n")

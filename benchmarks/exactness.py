"""Exactness of the gateway: room for exactly 100 calls, 2,000 fired at 64 connections.

How many are answered whole, how many cut, and by how much the provider's true bill and our own
books go beyond the limit: with a limit on the output and without, streamed and not, where answers
are ten times as long as was learnt, where most of what is written is not seen, and where an
upstream keeps to no limit. At one process with SQLite, and at two with PostgreSQL.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from benchmarks.figures import Figure
from benchmarks.service import free_port, post, wait_until_ready
from budget.domain.money import parse_usd
from tests.fakes.providers import Providers
from tests.gateway.filling import APIS, OLLAMA, Case, Filled, fill

ROOM: Final = 100
CALLS: Final = 2_000
AT_ONCE: Final = 64
REAL_KEY: Final = "sk-of-the-provider"


class Scene(NamedTuple):
    """Calls of a kind, the output tokens of each that the room is for, and what is known before:
    `taught` is how the calls were answered that came before, None for none.
    """

    name: str
    case: Case
    output_tokens: int
    taught: str | None = None
    least_whole: int | None = 98
    may_overspend: bool = False


def _bounded() -> Iterator[Scene]:
    for api in APIS:
        for streamed in (False, True):
            for most in (20, None):
                if api == "messages" and most is None:
                    continue  # they must have one
                words = "streamed" if streamed else "whole"
                limit = "no limit" if most is None else "a limit"
                yield Scene(
                    f"{api}, {words}, {limit}", Case(api, "words=20", streamed, most), 20
                )  # fmt: skip


def _others() -> Iterator[Scene]:
    for most in (20, None):
        limit = "no limit" if most is None else "a limit"
        slow = Case("chat", "words=20 delay_ms=10", True, most)
        yield Scene(f"chat, streamed over 200 ms, {limit}", slow, 20)
    for api in ("chat", "gemini"):
        low = Case(api, "words=640", True)
        yield Scene(f"{api}, ten times what was learnt", low, 640, "words=20", None)
        thinking = Case(api, "words=20 reasoning=500", True)
        yield Scene(f"{api}, 500 tokens of thought unseen", thinking, 520, None, None)
        unruly = Case(api, "words=200 delay_ms=3 unlimited", True, 20)
        yield Scene(f"{api}, an upstream that keeps to no limit", unruly, 20, None, None, True)


SCENES: Final = (*_bounded(), *_others())
AT_TWO: Final = tuple(
    scene for scene in SCENES if scene.case.api == "chat" and "unseen" not in scene.name
)


class Service(NamedTuple):
    """Services over the same books: their addresses, and the admin key."""

    addresses: list[str]
    admin: str


def exactness() -> Iterator[Figure]:
    """At one process with SQLite."""
    for scene in SCENES:
        with tempfile.TemporaryDirectory() as folder:
            yield from _played(scene, f"sqlite:///{folder}/bench.db", 1)


def exactness_of_two() -> Iterator[Figure]:
    """At two processes with PostgreSQL."""
    from tests.support.postgres import start_postgres

    with start_postgres() as server:
        for scene in AT_TWO:
            yield from _played(scene, server.create_database(), 2)


def _played(scene: Scene, target: str, processes: int) -> Iterator[Figure]:
    case = scene.case
    with Providers() as providers, _served(target, processes, providers) as service:
        limit_nanos = ROOM * case.cost_nanos(scene.output_tokens)
        key = post(
            service.addresses[0], service.admin, "/api/v1/keys", {"name": "b", "scopes": ["spend"]}
        )["key"]
        post(service.addresses[0], service.admin, "/api/v1/prices", OLLAMA, "PUT")
        if scene.taught is not None:
            asyncio.run(fill(service.addresses, key, case._replace(how=scene.taught), 24, 4))
            providers.forget()
        _limit(service, limit_nanos)
        found = asyncio.run(fill(service.addresses, key, case, CALLS, AT_ONCE))
        booked = _booked_nanos(service)
        each_in, each_out = APIS[case.api].prices
        billed = sum(
            one.input_tokens * each_in + one.output_tokens * each_out for one in providers.billed()
        )
    name = scene.name if processes == 1 else f"two processes: {scene.name}"
    yield from _figures(scene, name, found, limit_nanos, booked, billed)


def _figures(
    scene: Scene, name: str, found: Filled, limit_nanos: int, booked: int, billed: int
) -> Iterator[Figure]:
    note = f"{found.cut} cut, {found.refused} refused"
    if found.others:
        note += f", OTHERS: {found.others[:5]}"
    yield Figure(f"{name}: whole", found.whole, "of 100", scene.least_whole, note=note)
    over = 100 * max(0, billed - limit_nanos) / limit_nanos
    yield Figure(
        f"{name}: overspent", over, "%", None if scene.may_overspend else 0, at_least=False,
        note=f"bill {100 * billed / limit_nanos:.2f}%, books {100 * booked / limit_nanos:.2f}%",
    )  # fmt: skip


@contextlib.contextmanager
def _served(target: str, processes: int, providers: Providers) -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
        told = {
            **os.environ, "HOME": folder, "BUDGET_CONFIG_DIR": f"{folder}/config",
            "BUDGET_GATEWAY_OPENAI_BASE_URL": providers.openai_url,
            "BUDGET_GATEWAY_ANTHROPIC_BASE_URL": providers.url,
            "BUDGET_GATEWAY_GEMINI_BASE_URL": providers.url,
            "BUDGET_GATEWAY_OLLAMA_BASE_URL": providers.url,
            "OPENAI_API_KEY": REAL_KEY, "ANTHROPIC_API_KEY": REAL_KEY, "GEMINI_API_KEY": REAL_KEY,
        }  # fmt: skip
        addresses = [opened.enter_context(_process(target, told)) for _ in range(processes)]
        admin = subprocess.run(
            [sys.executable, "-m", "budget", "--target", target, "key"],
            env=told, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        yield Service(addresses, admin)


@contextlib.contextmanager
def _process(target: str, told: dict[str, str]) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "budget", "--target", target, "serve", "--port", str(port)],
        env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _limit(service: Service, limit_nanos: int) -> None:
    """A hard limit on everything."""
    policy = {
        "unit": "usd", "period": "daily", "limit": f"{limit_nanos / 1_000_000_000:.9f}",
        "enforcement": "hard_limit",
    }  # fmt: skip
    budget = {"name": "Everything", "policies": [policy]}
    post(service.addresses[0], service.admin, "/api/v1/budgets", budget)


def _booked_nanos(service: Service) -> int:
    request = urllib.request.Request(
        f"{service.addresses[0]}/api/v1/status",
        headers={"Authorization": f"Bearer {service.admin}"},
    )
    with urllib.request.urlopen(request) as answer:
        told: Any = json.load(answer)
    (balance,) = told["balances"]
    return parse_usd(balance["spent"], "spent")

"""A service with a gateway that leads to fake providers, and what tests ask of it."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import httpx2

from budget import Budget
from budget.domain.answers import UsageRecord
from budget.engine.price_book.settings import PriceSettings
from budget.gateway.rules import read_rules
from budget.gateway.upstreams import read_upstreams
from tests.fakes.providers import Providers
from tests.http.running import Running, running

REAL_KEY: Final = "sk-of-the-provider"


@dataclass(frozen=True)
class Through:
    """A running service. `books` are its own, opened by it; `key` may spend."""

    running: Running
    providers: Providers

    @property
    def url(self) -> str:
        """Where the service is."""
        return self.running.url

    @cached_property
    def books(self) -> Budget:
        """The books of the service."""
        return Budget(self.running.books)

    @cached_property
    def key(self) -> str:
        """A budget key that may spend, and no more."""
        text = self.books.create_key(name="app", scopes=["spend"]).text
        assert text is not None
        return text

    def limit(self, usd: str, **given: Any) -> str:
        """A hard daily limit on everything, in USD; the id of its policy."""
        policy: Any = {
            "unit": "usd", "period": "daily", "limit": usd, "enforcement": "hard_limit"
        }  # fmt: skip
        made = self.books.create_budget(name="Everything", policies=[policy], **given)
        return made.policies[0].policy_id

    def records(self) -> list[UsageRecord]:
        """What was booked, the newest first."""
        return list(self.books.usage_records(limit=1000).items)

    def open_holds(self) -> int:
        """How many holds are open."""
        return len(self.books.allocations(status="open", limit=1000).items)

    def await_settled(self, seconds: float = 60.0) -> None:
        """Wait until no hold is open; whoever asked how many there are is told if that fails."""
        until = time.monotonic() + seconds
        while self.open_holds() and time.monotonic() < until:
            time.sleep(0.02)

    def post(self, path: str, body: Any, *, status: int = 200, **headers: str) -> httpx2.Response:
        """POST to the gateway with the key; headers are written with _ for -."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        answer = httpx2.post(
            self.url + path, json=body, headers={"Authorization": f"Bearer {self.key}", **named},
            trust_env=False, verify=False, timeout=30,
        )  # fmt: skip
        assert answer.status_code == status, answer.text
        return answer


@contextlib.contextmanager
def through(
    target: str, providers: Providers, env: Mapping[str, str] | None = None, **given: Any
) -> Iterator[Through]:
    """The service over a database, with prices as bundled. `env` adds to what it is told."""
    told = {
        "BUDGET_GATEWAY_OPENAI_BASE_URL": providers.openai_url,
        "BUDGET_GATEWAY_ANTHROPIC_BASE_URL": providers.url,
        "BUDGET_GATEWAY_GEMINI_BASE_URL": providers.url,
        "BUDGET_GATEWAY_OLLAMA_BASE_URL": providers.url,
        "OPENAI_API_KEY": REAL_KEY,
        "ANTHROPIC_API_KEY": REAL_KEY,
        "GEMINI_API_KEY": REAL_KEY,
        **(env or {}),
    }
    given.setdefault("rules", read_rules(told))
    with running(
        target, price_settings=PriceSettings(), upstreams=read_upstreams(told), **given
    ) as service:
        yield Through(service, providers)

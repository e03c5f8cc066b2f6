"""Both ways to the same books: in-process, and through a service with either client.

`Ways.read` asks all of them and `Ways.act` has an act done by one and told again by the others, by
its idempotency key: each must tell the same, as `domain.wire` shows it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from budget.client import AsyncClient, Client
from budget.engine.budget import Budget
from budget.engine.callers import Caller
from tests.http.running import Running

Shape = Callable[[Any], Any]


@dataclass(frozen=True)
class Ways:
    """A service, its books, and its clients; `budget` acts as the key that the clients have."""

    service: Running
    client: Client
    budget: Budget
    aclient: AsyncClient
    runner: asyncio.Runner

    @property
    def key(self) -> dict[str, str]:
        """The attribute that calls over HTTP have by themselves."""
        return {"key": self.budget.jobs.caller.actor}

    def awaited(self, name: str, /, *ids: Any, **asked: Any) -> Any:
        """What the client for event loops answers."""

        async def ask() -> Any:
            return await getattr(self.aclient, name)(*ids, **asked)

        return self.runner.run(ask())

    def read(self, shape: Shape, name: str, /, *ids: Any, **asked: Any) -> Any:
        """What all tell of the same; the client's value."""
        told = getattr(self.client, name)(*ids, **asked)
        assert shape(told) == shape(getattr(self.budget, name)(*ids, **asked))
        assert shape(told) == shape(self.awaited(name, *ids, **asked))
        return told

    def act(self, shape: Shape, name: str, /, *ids: Any, **asked: Any) -> Any:
        """An act done once, which all tell alike; the client's value of the first time."""
        asked.setdefault("idempotency_key", f"{name}-{ids}-{sorted(asked)}"[:200])
        first = getattr(self.client, name)(*ids, **asked)
        again = getattr(self.budget, name)(*ids, **asked)
        awaited = self.awaited(name, *ids, **asked)
        assert _once(shape(first)) == _once(shape(again)) == _once(shape(awaited))
        return first


def _once(told: Any) -> Any:
    """What is told, whether for the first time or again."""
    return {**told, "replayed": None} if isinstance(told, dict) else told


@contextlib.contextmanager
def ways(service: Running) -> Iterator[Ways]:
    """All ways to the books of a service."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(Client(service.url, service.key))
        aclient = AsyncClient(service.url, service.key)
        runner = stack.enter_context(asyncio.Runner())
        stack.callback(lambda: runner.run(aclient.close()))
        actor = service.key.split("_")[1]
        budget = Budget(service.books, Caller(f"key_{actor}", admin=True))
        yield Ways(service, client, budget, aclient, runner)

"""Calls: one request, checked and made ready for its handler, and what handlers do with it.

A handler takes a `Call` and returns the JSON of its answer. Most are made by `act` from a method of
`Jobs`, whose docstring they share. Not here: which handler lies where (`routes`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from budget.domain.answers import Refusal
from budget.domain.errors import BudgetRefused, InvalidInput
from budget.engine.budget import AsyncBudget
from budget.engine.callers import Caller
from budget.engine.jobs import Job, Jobs
from budget.engine.settings import REFUSAL_STATUSES
from budget.gateway.gateway import Gateway
from budget.http.door.door import Door, Visitor
from budget.http.live.guests import Live
from budget.http.observing import Observer
from budget.http.problems import Header, Reply
from budget.http.watched import Watched
from budget.mcp.transport import Transport
from budget.neighbours.company import Company

T = TypeVar("T")

Ask = dict[str, Any]

PULSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Service:
    """What a running service is: its books, what it is called, and since when it runs.

    `instance` tells this run from any other. Whoever comes in comes by the `door`; the `observer`
    sees requests come and go. Who follows events is a guest of `live`.
    `hosts` are the names it may be called by; None: any.
    `refusal_status` is that of every refusal; None: by the limit that refuses. Browsers find it at
    `url`, and the page of the API if `docs` are on. `process` is what it was started with, without
    secrets. Who reads sources of prices holds `updating`,
    who tries a channel out `testing`; what is `watched` is read once in a while. Calls to models
    pass through the `gateway`, models are given tools by `mcp`; `neighbours` are those that it is
    in touch with.
    """

    budget: AsyncBudget
    pulse: "Pulse"
    instance: str
    door: Door
    observer: Observer
    live: Live
    port: int | None = None
    hosts: frozenset[str] | None = None
    refusal_status: int | None = None
    url: str = ""
    docs: bool = True
    process: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    updating: asyncio.Lock = field(default_factory=asyncio.Lock)
    testing: asyncio.Lock = field(default_factory=asyncio.Lock)
    watched: Watched = field(default_factory=Watched)
    gateway: Gateway | None = None
    mcp: Transport | None = None
    neighbours: Company | None = None

    @property
    def status_of_refusals(self) -> int | None:
        """The status of every refusal: what was set while Budget runs, else at the start."""
        live = self.budget.books.ledger.catalogue.settings.get("refusal_status")
        return self.refusal_status if live is None else REFUSAL_STATUSES[live]


class Pulse:
    """Whether the database answers; asked once a second, however many want to know."""

    def __init__(self, budget: AsyncBudget) -> None:
        self._budget = budget
        self._asked: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    async def feel(self) -> None:
        """Return if the database answers; else Unavailable, or TimeoutError."""
        now = time.monotonic()
        if self._asked is None or now - self._asked_at >= 1:
            self._asked_at = now
            self._asked = asyncio.create_task(self._beat())
        async with asyncio.timeout(PULSE_SECONDS):
            await asyncio.shield(self._asked)

    async def _beat(self) -> None:
        await self._budget.budgets(limit=1)


class Carried(NamedTuple):
    """What a request carries beside what it asks; logging in and out looks at it.

    `client` is who is at the other end of the connection; `visitor` None: the route is open.
    """

    headers: Mapping[bytes, bytes] = {}
    client: tuple[str, int] | None = None
    visitor: Visitor | None = None


class Call(NamedTuple):
    """A request: who makes it, the ids in its path, the fields of its body, its query."""

    service: Service
    caller: Caller
    ids: tuple[str, ...]
    ask: Ask
    query: Mapping[str, Any]
    carried: Carried = Carried()

    @property
    def jobs(self) -> Jobs:
        """The engine's methods, on behalf of the caller."""
        return Jobs(self.service.budget.books, self.caller)

    async def run(self, job: Job[T]) -> T:
        """Do a job; BudgetRefused if the answer is a refusal."""
        answer = await self.service.budget.run(job)
        if isinstance(answer, Refusal):
            raise BudgetRefused(answer)
        return answer


class Answered(NamedTuple):
    """The JSON of an answer, whether it was given before, and headers beside the usual ones."""

    body: Any
    replayed: bool = False
    headers: tuple[Header, ...] = ()


Handler = Callable[[Call], Awaitable[Answered | Reply]]
"""A handler whose answer is not JSON, or whose status or headers are its own, makes the reply."""


def act(method: Callable[..., Job[Any]], shape: Callable[[Any], Any]) -> Handler:
    """The handler that does what a method of `Jobs` does: ids by place, body and query by name."""

    async def handle(call: Call) -> Answered:
        answer = await call.run(method(call.jobs, *call.ids, **call.ask, **call.query))
        return Answered(shape(answer), getattr(answer, "replayed", False))

    handle.__doc__ = method.__doc__
    return handle


def act_of_key(method: Callable[..., Job[Any]], shape: Callable[[Any], Any]) -> Handler:
    """The same for calls that spend: their API key is an attribute unless they name one."""

    async def handle(call: Call) -> Answered:
        answer = await call.run(method(call.jobs, **with_key(call)))
        return Answered(shape(answer), getattr(answer, "replayed", False))

    handle.__doc__ = method.__doc__
    return handle


def with_key(call: Call) -> Ask:
    """The body with `attributes.key`; a call inside an envelope has that of its envelope."""
    given = call.ask.get("attributes")
    if given is not None and not isinstance(given, dict):
        raise InvalidInput("attributes", "must be an object of attribute: value.")
    if call.ask.get("parent_id") is not None or (given and given.get("key") is not None):
        return call.ask
    return {**call.ask, "attributes": {**(given or {}), "key": call.caller.actor}}

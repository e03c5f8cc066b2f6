"""The receiver: takes what is sent by OTLP, books what of it is usage, and says what came of it.

Not here: the door (`http.otlp`), and what usage is (`spans`, `series`).
"""

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from budget.domain.errors import BudgetError, InvalidInput
from budget.engine.callers import Caller
from budget.engine.switches import read_switch
from budget.neighbours.known import Setup
from budget.neighbours.neighbour import Neighbour
from budget.neighbours.otel.booking import Ask, Own, Taken, book_spans, sorted_out
from budget.neighbours.otel.counting import Counting
from budget.neighbours.otel.encodings import Encoding, Signal
from budget.neighbours.otel.nesting import Wrappers
from budget.neighbours.otel.spans import Span, spans_of

PATHS: Final[Mapping[str, Signal]] = {
    "/v1/traces": "traces",
    "/v1/metrics": "metrics",
    "/v1/logs": "logs",
}
METRICS: Final = "BUDGET_OTLP_METRICS"
"""Whether metrics are usage, too: of the same calls they would count twice."""
MAX_AT_ONCE: Final = 4
MAX_WAITING: Final = 32
_QUICKLY_READ_BYTES: Final = 32 * 1024
"""Longer requests are read in a thread."""
_LARGE_BYTES: Final = 1024 * 1024
"""Of those that are longer one is read at a time: they take memory."""
_LOCAL: Final = ("localhost", "127.0.0.1", "::1", "[::1]")


class Busy(BudgetError):
    """Too many requests at once; the sender is to wait."""

    code = "too_many_attempts"


class Otlp(Neighbour):
    """What comes by OTLP: traces, metrics where that is wanted, and logs, which nobody reads."""

    name = "otlp"

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self._budget = setup.budget
        self._own = _own(setup)
        self._wrappers = Wrappers()
        self._counting = Counting(setup.budget) if read_switch(setup.env, METRICS) else None
        self._running = asyncio.Semaphore(MAX_AT_ONCE)
        self._large = asyncio.Lock()
        self._waiting = 0
        self._total = Taken()

    async def take(self, signal: Signal, body: bytes, encoding: Encoding, caller: Caller) -> Taken:
        """Book what of a request is usage. InvalidInput for what is no request, Busy when there are
        too many, Unavailable when the books are away: then it may come again.
        """
        if self._waiting >= MAX_WAITING:
            raise Busy("Too many requests at once; send it again in a second.")
        self._waiting += 1
        try:
            async with self._running:
                taken = await self._taken(signal, body, encoding, caller)
        except BudgetError as error:
            if not isinstance(error, InvalidInput):
                self.contact.failed(error)
            raise
        finally:
            self._waiting -= 1
        self._note(taken)
        return taken

    async def _taken(
        self, signal: Signal, body: bytes, encoding: Encoding, caller: Caller
    ) -> Taken:
        if len(body) <= _LARGE_BYTES:
            return await self._booked(signal, body, encoding, caller)
        async with self._large:
            return await self._booked(signal, body, encoding, caller)

    async def _booked(
        self, signal: Signal, body: bytes, encoding: Encoding, caller: Caller
    ) -> Taken:
        if signal == "traces":
            if len(body) <= _QUICKLY_READ_BYTES:
                spans, asks, taken = self._read(body, encoding, caller)
            else:
                spans, asks, taken = await asyncio.to_thread(self._read, body, encoding, caller)
            await book_spans(self._budget, caller, spans, asks, taken)
            return taken
        if signal == "metrics" and self._counting is not None:
            return await self._counting.take(body, encoding, caller, self._own)
        await asyncio.to_thread(encoding.read, signal, body)
        return Taken()

    def _read(
        self, body: bytes, encoding: Encoding, caller: Caller
    ) -> tuple[list[Span], dict[str, Ask], Taken]:
        spans = list(spans_of(encoding.read("traces", body), encoding))
        asks, taken = sorted_out(spans, self._own, self._wrappers, caller.actor)
        return spans, asks, taken

    def _note(self, taken: Taken) -> None:
        total = self._total
        total.booked += taken.booked
        total.before += taken.before
        total.rejected += taken.rejected
        total.left.update(taken.left)
        left = ", ".join(f"{count} {why}" for why, count in sorted(total.left.items()))
        facts: dict[str, Any] = {"booked": total.booked, "booked_before": total.before}
        self.contact.went_well(
            **facts, left_out=left or None, rejected=total.rejected or None,
            last_rejected=taken.why or self.contact.facts.get("last_rejected"),
        )  # fmt: skip


def check_extra(setting: str) -> None:
    """InvalidInput, naming the setting, where the extra `otel` is not installed."""
    try:
        found = find_spec("opentelemetry.proto")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise InvalidInput(setting, "needs the extra otel: pip install 'budgetd[otel]'.")


def _own(setup: Setup) -> Own:
    """Where the gateway of this service is called."""
    own = {(host, setup.port) for host in _LOCAL}
    parts = urlsplit(setup.url)
    if parts.hostname is not None:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        own.add((parts.hostname.lower(), port))
    return frozenset(own)

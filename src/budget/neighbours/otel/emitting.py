"""Emitting: what is decided and booked goes to a collector of OpenTelemetry, as metrics and spans.

The journal is followed, so that what any process books is told, once, by the node that is asked to.
Not here: spans of requests (`http.tracing`).
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from budget.domain.answers import Event
from budget.engine.callers import LOCAL
from budget.engine.following import Followed
from budget.engine.switches import read_switch
from budget.neighbours.known import Setup
from budget.neighbours.neighbour import Neighbour
from budget.neighbours.otel.booked import DECISIONS, booked_of
from budget.neighbours.otel.endpoints import read_endpoint

if TYPE_CHECKING:
    from budget.neighbours.otel.instruments import Instruments

LOOK_SECONDS: Final = 1.0


class Emitter(Neighbour):
    """A collector that is told, while the service runs."""

    name = "otel"

    def __init__(self, setup: Setup) -> None:
        self.address = self._metrics_to = read_endpoint(setup.env, "metrics")
        super().__init__()
        self._books = setup.budget.books
        self._instance = setup.instance
        traced = read_switch(setup.env, "BUDGET_TRACES")
        self._spans_to = read_endpoint(setup.env, "traces") if traced else None
        self._degraded = 0
        self._came: tuple[Sequence[Event], bool] | None = None
        self._turn = threading.Lock()
        self._followed = Followed(self._books, LOCAL, {"topics": ["allocation_updates"]})
        self._instruments: Instruments | None = None

    async def run(self) -> None:
        """Tell what happens from now on; after a failure, from where it was."""
        if self._instruments is None:
            await asyncio.to_thread(self._followed.begin)
            self._instruments = await asyncio.to_thread(self._made)
        while True:
            if await asyncio.to_thread(self._look, self._instruments):
                await asyncio.sleep(LOOK_SECONDS)

    async def leave(self) -> None:
        """Tell what happened last, and have it sent if that can be done at once."""
        if self._instruments is None:
            return
        await asyncio.to_thread(self._look, self._instruments)
        await asyncio.to_thread(self._instruments.close)

    def _made(self) -> "Instruments":
        from budget.neighbours.otel.instruments import Instruments

        return Instruments(
            self.contact, self._instance, self._decisions,
            metrics_to=self._metrics_to, spans_to=self._spans_to,
        )  # fmt: skip

    def _look(self, instruments: "Instruments") -> bool:
        """Tell what the journal has after the last look; whether that is all there is."""
        with self._turn:  # the last look may come while one before it is not over
            if self._came is None:
                self._came = self._followed.more()
            events, ended = self._came
            found = booked_of(self._books, events)
            self._came = None  # what fails before is looked at again
            for booked in found:
                instruments.tell(booked)
            self._decide(instruments, events)
        return ended

    def _decide(self, instruments: "Instruments", events: Sequence[Event]) -> None:
        for event in events:
            decision = DECISIONS.get(event.kind)
            if decision is None:
                continue
            self._degraded += decision == "degraded"
            told = {"budget.budget_id": event.budget_id, "budget.policy_id": event.policy_id,
                    "budget.allocation_id": event.allocation_id}  # fmt: skip
            instruments.decided(
                decision, event.at_us, {name: one for name, one in told.items() if one}
            )

    def _decisions(self) -> Mapping[str, int]:
        """How many holds this process has decided on, and calls it has degraded."""
        made = self._books.ledger.meter.decisions
        return {
            "allowed": made.get(("allocate", "accepted"), 0),
            "refused": made.get(("allocate", "refused"), 0),
            "degraded": self._degraded,
        }

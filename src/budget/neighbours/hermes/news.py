"""News: what Hermes is told of what happens here, as well as can be.

    budget.limit_approaching  a threshold is crossed, or a limit will be reached before its time
    budget.limit_exceeded     a call was refused, or a limit is reached or overrun
    budget.topped_up          a limit was raised for a while
    budget.price_update       a price changed
    budget.alert              any other alert

Hermes' bus answers each with an error even where it counts it, and delivers none, so that whether
anybody heard is not to be known: who must hear uses a channel. Nothing waits for this: what comes
while much is under way, or while Hermes is away, is dropped and counted.

Not here: what happened in the books' own words (`domain.wire.journal`).
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from budget.domain import cursors
from budget.domain.alerts import KINDS
from budget.domain.answers import Event
from budget.domain.component import COMPONENT
from budget.domain.errors import BudgetError
from budget.domain.windows import to_rfc3339
from budget.domain.wire import journal
from budget.engine.budget import AsyncBudget
from budget.engine.events.reading import events_between, newest
from budget.engine.job import Job
from budget.neighbours.calling import Line, Unanswered
from budget.neighbours.neighbour import Contact

PATH: Final = "/api/a2a/v1/"
CHANNEL: Final = "budget.events"
LOOK_SECONDS: Final = 0.5
MOST_WAITING: Final = 200
MOST_IN_FLIGHT: Final = 4
OLD_US: Final = 60_000_000
"""What happened so long ago is no news."""
MOST_REFUSED: Final = 5
"""After so many refusals in a row, Hermes is spared for a while."""
SPARED_SECONDS: Final = 300.0
PAGE: Final = 500

_KINDS: Final = frozenset({"alert_raised", "refused", "topped_up", "price_update"})
_APPROACHING: Final = frozenset({"warning", "action", "exhausted_soon"})
_EXCEEDED: Final = frozenset({"limit", "overrun"})
_COUNTED: Final = -32603
"""The error of Hermes' bus where it has counted the message."""


def news_of(event: Event) -> dict[str, Any]:
    """What is told of an event; `message_id` is the same however often it is told."""
    type, severity = _type(event)
    cursor = cursors.encode(event.cursor)
    return {
        "message_id": f"{COMPONENT}-{cursor}",
        "sender": COMPONENT,
        "message_type": "budget.event",
        "timestamp": to_rfc3339(event.at_us),
        "payload": journal.event(event, cursor),
        "event_type": type,
        "severity": severity,
    }


def _type(event: Event) -> tuple[str, str]:
    if event.kind == "refused":
        return "budget.limit_exceeded", "error"
    if event.kind in ("topped_up", "price_update"):
        return f"budget.{event.kind}", "info"
    alert = json.loads(event.detail).get("alert", "")
    severity = KINDS.get(alert, "info")
    if alert in _APPROACHING:
        return "budget.limit_approaching", severity
    return "budget.limit_exceeded" if alert in _EXCEEDED else "budget.alert", severity


class Counts(NamedTuple):
    """What became of news: taken by Hermes, refused by it, or never sent or not answered."""

    taken: int = 0
    refused: int = 0
    dropped: int = 0

    def __str__(self) -> str:
        return f"{self.taken} taken, {self.refused} refused, {self.dropped} dropped"


class Teller:
    """Tells one Hermes from `tell` until that is cancelled; begun again, it goes on from there."""

    def __init__(self, budget: AsyncBudget, line: Line, contact: Contact) -> None:
        self._budget = budget
        self._line = line
        self._contact = contact
        self._at: int | None = None
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)
        self._refused_in_a_row = 0
        self._spared_until = 0.0
        self.counts = Counts()

    async def tell(self) -> None:
        """Tell of what happens, without end; what goes wrong is counted and no more."""
        senders = [asyncio.create_task(self._send_all()) for _ in range(MOST_IN_FLIGHT)]
        try:
            while True:
                try:
                    await self._look()
                except BudgetError as error:
                    self._contact.note(events_error=error.detail)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)

    async def _look(self) -> None:
        # Moved on only once it is here: a read that is cut off is read again.
        events, self._at = await self._budget.run(Job(read=self._read))
        for event in events:
            old = event.at_us < self._contact.now_us() - OLD_US
            if old or time.monotonic() < self._spared_until or self._waiting.full():
                self._count(dropped=1)
            else:
                self._waiting.put_nowait(event)

    def _read(self) -> tuple[Sequence[Event], int]:
        """What happened since the last time, and up to where; the first time nothing."""
        database = self._budget.books.database
        upto = newest(database)
        since = upto if self._at is None else self._at
        happened = events_between(database, since, upto, PAGE, _KINDS, closer=False)
        at = upto if len(happened) < PAGE else happened[-1].event.cursor
        return [one.event for one in happened], at

    async def _send_all(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                await self._send(news_of(event))
            except Unanswered as error:
                self._count(dropped=1)
                self._contact.note(events_error=error.detail)

    async def _send(self, message: dict[str, Any]) -> None:
        answer = await self._line.ask("POST", PATH, _asked(message))
        mistake = answer.get("error") if isinstance(answer, dict) else None
        code = mistake.get("code") if isinstance(mistake, dict) else None
        if mistake is None or code == _COUNTED:
            self._refused_in_a_row = 0
            self._count(taken=1)
            return
        self._count(refused=1)
        self._contact.note(events_error=f"hermes takes no events from us (error {code}).")
        self._refused_in_a_row += 1
        if self._refused_in_a_row >= MOST_REFUSED:
            self._refused_in_a_row = 0
            self._spared_until = time.monotonic() + SPARED_SECONDS

    def _count(self, taken: int = 0, refused: int = 0, dropped: int = 0) -> None:
        was = self.counts
        self.counts = Counts(was.taken + taken, was.refused + refused, was.dropped + dropped)
        self._contact.note(events=self.counts)


def _asked(message: dict[str, Any]) -> dict[str, Any]:
    params = {"channel": CHANNEL, "message": message, "sender_id": COMPONENT}
    return {
        "jsonrpc": "2.0", "id": message["message_id"], "method": "channel.publish",
        "params": params,
    }  # fmt: skip

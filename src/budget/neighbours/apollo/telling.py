"""Telling Apollo: from the journal, in order, from a place that the books keep between runs.

A message is sent again until Apollo has answered it, so nothing is skipped across restarts, of
either; one that it answers with an error three times is passed over and counted. What is sent twice
has the same correlation id. Not here: what the messages say (`messages`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain.windows import to_rfc3339
from budget.engine.budget import AsyncBudget
from budget.engine.job import Job
from budget.neighbours.apollo import journal
from budget.neighbours.apollo.messages import Message, Windows, messages_of
from budget.neighbours.calling import Line, Unanswered, said_error
from budget.neighbours.neighbour import Contact
from budget.neighbours.notes import Notes

LOOK_SECONDS: Final = 0.25
"""How long it waits before it looks again; what happens meanwhile is told together."""
REST: Final = 2
"""It rests so many times as long as it told, so that calls have the greater part of the time."""
MOST_TRIES: Final = 3
"""So often Apollo may answer a message with an error."""
_CURSOR: Final = "cursor"
_WINDOWS: Final = "windows"
_SENT: Final = "sent"
"""What was sent beyond the place when the service ended."""


class Place(NamedTuple):
    """How far Apollo was told, and which windows were met on the way."""

    cursor: int
    windows: Windows

    def noted(self, before: "Place | None" = None) -> dict[str, Any]:
        """The place as it is noted, in so far as it differs from that before."""
        noted: dict[str, Any] = {_CURSOR: self.cursor}
        if before is None or self.windows != before.windows:
            noted[_WINDOWS] = {str(id): start_us for id, start_us in self.windows.items()}
        return noted


def _place(noted: Mapping[str, Any]) -> Place:
    windows = {int(id): int(start_us) for id, start_us in noted.get(_WINDOWS, {}).items()}
    return Place(int(noted[_CURSOR]), windows)


class Teller:
    """Tells over one line, from `tell` until that is cancelled."""

    def __init__(self, budget: AsyncBudget, line: Line, contact: Contact) -> None:
        self._budget = budget
        self._line = line
        self._contact = contact
        self._notes = Notes(budget, "apollo")
        self._sent: set[str] = set()
        self._tries: Counter[str] = Counter()
        self.told = 0
        self.passed_over = 0

    async def tell(self) -> None:
        """Tell of what happens, without end; Unanswered when Apollo does not take it."""
        place = await self._begin()
        while True:
            began = time.monotonic()
            place = await self._tell_some(place)
            await asyncio.sleep(max(LOOK_SECONDS, REST * (time.monotonic() - began)))

    async def end(self) -> None:
        """Keep what was sent beyond the place, so that the next run does not send it again."""
        if self._sent:
            await self._notes.put(_SENT, sorted(self._sent))

    async def _begin(self) -> Place:
        """Where it was the last time; the first time now."""
        noted = await self._notes.all()
        if _CURSOR in noted:
            self._sent.update(noted.get(_SENT, ()))
            return _place(noted)
        database = self._budget.books.database
        newest: int = await self._budget.run(Job(read=lambda: journal.read_newest(database)))
        place = Place(newest, {})
        await self._notes.put_all(place.noted())
        return place

    async def _tell_some(self, place: Place) -> Place:
        database = self._budget.books.database
        stretch: journal.Stretch = await self._budget.run(
            Job(read=lambda: journal.read_after(database, place.cursor))
        )
        if not stretch.happened:
            return place
        messages, windows = messages_of(stretch, place.windows)
        for message in messages:
            if message.correlation_id not in self._sent:
                await self._send(message)
        last = stretch.happened[-1].event
        after = Place(last.cursor, windows)
        await self._notes.put_all({**after.noted(place), _SENT: None})
        self._sent.clear()
        self._tries.clear()
        self._contact.note(told_until=to_rfc3339(last.at_us))
        return after

    async def _send(self, message: Message) -> None:
        try:
            answer = await self._line.ask("POST", "/api/messages", message.body())
        except Unanswered as error:
            if error.status is None or not _is_final(error.status):
                raise
            self._refused(message, error)
        else:
            mistake = said_error(answer)
            if mistake is None:
                self.told += 1
                self._contact.went_well(messages_told=self.told)
            else:
                self._refused(message, Unanswered(f"apollo says: {mistake}", 200))
        self._sent.add(message.correlation_id)

    def _refused(self, message: Message, error: Unanswered) -> None:
        """Raise, or pass the message over where Apollo has refused it often enough."""
        self._tries[message.correlation_id] += 1
        if self._tries[message.correlation_id] < MOST_TRIES:
            raise error
        self.passed_over += 1
        self._contact.failed(f"{message.type} {message.correlation_id}: {error.detail}")
        self._contact.note(messages_passed_over=self.passed_over)


def _is_final(status: int) -> bool:
    """Whether what it says is about the message: not that it is busy, or is not Apollo."""
    return status in (400, 413, 415, 422)

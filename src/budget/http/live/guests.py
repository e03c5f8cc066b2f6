"""Guests: who follows events now, by WebSocket or stream; looked at every second.

Who is revoked, or silent for too long, is shown out; the others hear a heartbeat now and then. Not
here: what they hear (`hub`), and how it is sent (`conversation`, `stream`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from budget.domain.errors import BudgetError
from budget.engine.books import Books
from budget.http.door.door import Door, Visitor
from budget.http.live.hub import MAX_WAITING_BYTES, Cut, Hub
from budget.http.problems import TooMany

log = logging.getLogger("budget.events")


class Limits(NamedTuple):
    """What guests may cost, and how long they may keep silent."""

    of_key: int = 2_000
    in_all: int = 10_000
    strangers: int = 500
    waiting_bytes: int = MAX_WAITING_BYTES
    messages_a_second: int = 50
    bad_a_second: int = 10
    subscriptions: int = 50
    authenticate_seconds: float = 5.0
    heartbeat_seconds: float = 30.0
    silent_seconds: float = 90.0
    stream_seconds: float = 3600.0
    round_seconds: float = 1.0


DEFAULT_LIMITS: Final = Limits()
REVOKED: Final = Cut(4401, "unauthorized", "The key or session is no longer good.")
SILENT: Final = Cut(4408, "silent", "Nothing was heard of you; send a heartbeat now and then.")
STOPPING: Final = Cut(1012, "stopping", "The service stops; resume from your last cursor.")


class Guest(Protocol):
    """Somebody who follows events."""

    @property
    def visitor(self) -> Visitor | None:
        """Who they are, once that is known."""

    @property
    def heard_at(self) -> float | None:
        """When they were last heard of; None of those who only listen."""

    @property
    def beaten_at(self) -> float:
        """When they last heard a heartbeat."""

    def beat(self, now: float) -> None:
        """Let them hear one."""

    def cut(self, why: Cut, cursor: int | None = None) -> None:
        """Show them out."""


class Live:
    """The live events of a service: a hub, and its guests."""

    def __init__(
        self,
        books: Books,
        door: Door,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.hub = Hub(books, limits.waiting_bytes)
        self.limits = limits
        self.now_us = books.database.now_us
        self._door = door
        self._clock = clock
        self._guests: set[Guest] = set()
        self._of_key: Counter[str] = Counter()
        self._strangers = 0
        self._round: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._guests)

    def clock(self) -> float:
        """The time that heartbeats go by."""
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()

    def admit(self, guest: Guest) -> None:
        """Let somebody in; TooMany if there is no room, in all or for their key."""
        if len(self._guests) >= self.limits.in_all:
            raise _no_room("Too many follow events here; try again later.")
        if guest.visitor is None:
            if self._strangers >= self.limits.strangers:
                raise _no_room("Too many are here without a key; send yours in a header.")
            self._strangers += 1
        else:
            self._count(guest.visitor)
        self._guests.add(guest)
        if self._round is None:
            self._round = asyncio.create_task(self._rounds())

    def recognise(self, visitor: Visitor) -> None:
        """A stranger has told who they are; TooMany if there is no room for their key."""
        self._count(visitor)
        self._strangers -= 1

    def part(self, guest: Guest) -> None:
        """Somebody is gone."""
        if guest not in self._guests:
            return
        self._guests.discard(guest)
        if guest.visitor is None:
            self._strangers -= 1
            return
        name = guest.visitor.key.caller.actor
        self._of_key[name] -= 1
        if not self._of_key[name]:
            del self._of_key[name]

    def close(self) -> None:
        """Show everybody out."""
        for guest in list(self._guests):
            guest.cut(STOPPING)
        self.hub.close()
        if self._round is not None:
            self._round.cancel()

    def _count(self, visitor: Visitor) -> None:
        name = visitor.key.caller.actor
        if self._of_key[name] >= self.limits.of_key:
            raise _no_room("Too many follow events with this key.")
        self._of_key[name] += 1

    async def _rounds(self) -> None:
        while self._guests:
            await asyncio.sleep(self.limits.round_seconds)
            try:
                self._look_after(self.clock())
                await self._recognise_again()
            except BudgetError as error:
                log.warning("keys could not be looked at this time: %s", error)
            except Exception:  # the next round must come: it shows out whose key is revoked
                log.exception("guests could not be looked after this time")
        self._round = None

    def _look_after(self, now: float) -> None:
        silent_since = now - self.limits.silent_seconds
        beat_before = now - self.limits.heartbeat_seconds
        for guest in list(self._guests):
            if guest.heard_at is not None and guest.heard_at < silent_since:
                guest.cut(SILENT)
            elif guest.beaten_at < beat_before:
                guest.beat(now)

    async def _recognise_again(self) -> None:
        """Show out whose key or session is no longer what it was; each is looked at once."""
        known: dict[tuple[Any, ...], bool] = {}
        for guest in list(self._guests):
            visitor = guest.visitor
            if visitor is None:
                continue
            key = visitor.key
            bound = tuple(sorted(key.caller.bound.items()))
            name = (key.caller.actor, key.scopes, bound, visitor.token)
            good = known.get(name)
            if good is None:
                good = known[name] = await self._door.still_in(visitor)
            if not good:
                guest.cut(REVOKED)


def _no_room(detail: str) -> TooMany:
    return TooMany(detail, 10, code="too_many_connections")

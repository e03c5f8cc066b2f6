"""Growing: a hold that keeps ahead of an answer, while that comes.

A call whose caller sets no limit begins with what such calls usually write, and holds for more as
its answer nears that. If there is no room it waits for other holds to return, as long as what it
has lasts: an upstream goes on writing meanwhile. Not here: counting (`metering`), and who waits for
whom (`waiting`).
"""

import asyncio
import time
from typing import Final

from budget.domain.answers import Refusal
from budget.gateway.holding import Holding, Tasks
from budget.gateway.metering import Meter
from budget.gateway.waiting import Room, keys_of_refusal

LEAST_MORE: Final = 64
MOST_MORE: Final = 4096
ROOM_TO_SPARE: Final = 16


class Growth:
    """The hold of one answer. `told_tokens` is how much the upstream was told that it may write;
    None: nothing, or it does not keep to that.
    """

    __slots__ = (
        "_began", "_come", "_growing", "_holding", "_longest", "_meter", "_room", "_since",
        "_tasks", "_told", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        holding: Holding,
        meter: Meter,
        room: Room,
        tasks: Tasks,
        since: float,
        *,
        told_tokens: int | None,
    ) -> None:
        self._holding = holding
        self._meter = meter
        self._room = room
        self._tasks = tasks
        self._since = since
        self._told = told_tokens
        self._began = 0.0
        self._come: int | None = None
        self._longest = 0
        self._growing: asyncio.Task[Refusal | None] | None = None
        self._waiting: asyncio.Task[Refusal | None] | None = None

    def is_safe(self) -> bool:
        """Whether the upstream keeps to what it was told, so far: nothing need be looked at."""
        return self._told is not None and self._meter.at_most(self._told) <= self._told

    async def cover(self) -> Refusal | None:
        """See that what has come is held for, and as much again as came at once; the refusal if it
        is not, and cannot be.
        """
        now = time.monotonic()
        self._began = self._began or now
        granted = self._holding.granted_tokens
        if self._told is not None:
            if not self._meter.is_over(self._told):
                return None
            self._told = None  # it keeps to no limit
        ahead = granted - max(ROOM_TO_SPARE, granted // 4)
        if self._meter.at_most(ahead) <= ahead and not self._is_near(granted, now):
            return None
        if self._growing is None:
            self._growing = self._tasks.start(self._more())
        if not self._growing.done() and self._has_room():
            return None
        refusal = await self._growing
        if refusal is None:
            self._growing = None
            return None if self._has_room() else await self.cover()
        return await self._waited(refusal)

    async def _waited(self, refusal: Refusal) -> Refusal | None:
        """Go on while there is room, and wait for more meanwhile."""
        if self._waiting is None and self._room.may_pass(refusal):
            self._waiting = self._tasks.start(self._wait(refusal))
        if self._waiting is not None and self._waiting.done():
            granted = self._waiting.result() is None
            self._waiting = self._growing = None
            if granted:
                return None if self._has_room() else await self.cover()
        return None if self._has_room() else refusal

    def has_room_yet(self) -> bool:
        """Whether to go on after `cover` failed: it is tried again, while there is room."""
        self._growing = self._waiting = None
        return self._has_room()

    def stop(self) -> None:
        """The answer has ended: nothing more need be held."""
        for task in (self._growing, self._waiting):
            if task is not None:
                task.cancel()

    def _is_near(self, granted: int, now: float) -> bool:
        """Whether what is held will be used up within the time that a refused call may wait."""
        come = self._meter.at_most(granted)
        lasts_seconds = (granted - come) * (now - self._began) / max(1, come)
        return come > ROOM_TO_SPARE and lasts_seconds < self._room.patience_seconds

    def _has_room(self) -> bool:
        """Whether the next piece is held for, if it is no longer than the longest so far."""
        come = self._meter.surely()
        if self._come is not None:
            self._longest = max(self._longest, come - self._come)
        self._come = come
        return come + self._longest <= self._holding.granted_tokens

    async def _more(self) -> Refusal | None:
        """Hold for more output, or less where there is little."""
        holding = self._holding
        refusal = await holding.extend(min(MOST_MORE, max(LEAST_MORE, holding.granted_tokens)))
        return None if refusal is None else await holding.extend(self._need())

    async def _wait(self, refusal: Refusal) -> Refusal | None:
        async def again() -> Refusal | None:
            return await self._holding.extend(self._need())

        keys = keys_of_refusal(refusal)
        return await self._room.wait(self._since, keys, again, refusal, growing=True)

    def _need(self) -> int:
        """The least that helps."""
        over = self._meter.surely() - self._holding.granted_tokens
        return max(0, over) + self._longest + ROOM_TO_SPARE

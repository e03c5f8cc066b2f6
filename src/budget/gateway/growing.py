"""Growing: a hold that keeps ahead of an answer, while that comes.

A call whose caller sets no limit begins with what such calls usually write, and holds for more as
its answer nears that. Not here: counting (`metering`), and who waits for whom (`waiting`).
"""

import asyncio
from typing import Final

from budget.domain.answers import Refusal
from budget.gateway.holding import Holding, Tasks
from budget.gateway.metering import Meter
from budget.gateway.waiting import Room, may_pass

LEAST_MORE: Final = 64
MOST_MORE: Final = 4096
ROOM_TO_SPARE: Final = 16


class Growth:
    """The hold of one answer. `is_told`: the upstream was told how much it may write."""

    __slots__ = (
        "_come", "_growing", "_holding", "_is_told", "_longest", "_meter", "_room", "_since",
        "_tasks",
    )  # fmt: skip

    def __init__(
        self,
        holding: Holding,
        meter: Meter,
        room: Room,
        tasks: Tasks,
        since: float,
        *,
        is_told: bool,
    ) -> None:
        self._holding = holding
        self._meter = meter
        self._room = room
        self._tasks = tasks
        self._since = since
        self._is_told = is_told
        self._growing: asyncio.Task[Refusal | None] | None = None
        self._come: int | None = None
        self._longest = 0

    async def cover(self) -> Refusal | None:
        """See that what has come is held for, and as much again as came at once; the refusal if it
        is not, and cannot be.
        """
        granted = self._holding.granted_tokens
        if self._is_told:
            # A count that is surely high enough may be too high, and must not cut what is within.
            return None if self._meter.at_most(granted) <= granted else await self._beyond(granted)
        ahead = granted - max(ROOM_TO_SPARE, granted // 4)
        if self._meter.at_most(ahead) <= ahead:
            return None
        if self._growing is None:
            self._growing = self._tasks.start(self._more())
        if not self._growing.done() and self._has_room():
            return None
        growing, self._growing = self._growing, None
        refusal = await growing
        return None if refusal is None or self._has_room() else refusal

    def _has_room(self) -> bool:
        """Whether the next piece is held for, if it is no longer than the longest so far."""
        come = self._meter.surely()
        if self._come is not None:
            self._longest = max(self._longest, come - self._come)
        self._come = come
        return come + self._longest <= self._holding.granted_tokens

    def stop(self) -> None:
        """The answer has ended: nothing more need be held."""
        if self._growing is not None:
            self._growing.cancel()

    async def _beyond(self, granted: int) -> Refusal | None:
        """The upstream does not keep to its limit: hold for what it wrote, or cut it."""
        over = self._meter.likely() - granted
        return None if over <= 0 else await self._holding.extend(over + ROOM_TO_SPARE)

    async def _more(self) -> Refusal | None:
        """Hold for more output, less where there is little, after a wait where holds may return."""
        holding = self._holding
        refusal = await holding.extend(min(MOST_MORE, max(LEAST_MORE, holding.granted_tokens)))
        if refusal is None:
            return None
        need = max(0, self._meter.surely() - holding.granted_tokens) + ROOM_TO_SPARE
        refusal = await holding.extend(need)
        if refusal is None or not may_pass(refusal):
            return refusal
        return await self._room.wait(
            self._since, refusal, lambda: holding.extend(need), growing=True
        )

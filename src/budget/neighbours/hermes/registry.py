"""The registry: Budget's own entries in it, kept for as long as the service runs.

A token stays good when Hermes forgets what it was for, so a heartbeat that is answered proves
nothing: the list of components is read after each, and who is not in it registers anew.

Not here: the entries of others (`components`), and tools (`tools`).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from budget.neighbours.calling import Line, Unanswered
from budget.neighbours.hermes.components import Component, read_components

TOKEN: Final = "X-Authentication-Token"  # noqa: S105 - the name of a header
LIFETIME_SECONDS: Final = 3600
"""How long a token lives that does not say it."""
RENEWED_PERCENT: Final = 75
"""At this part of a token's life its entry is made anew, which brings the next token."""
_NOT_KNOWN: Final = frozenset({200, 400, 401, 403, 404})
"""How a heartbeat is answered where Hermes does not know whose it is."""

Card = Mapping[str, Any]
"""What is told of a component when it registers."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A token, to be sent back to the letter, and when it is to be replaced."""

    token: str
    renew_at: float


class Registry:
    """Some entries at one Hermes, by their ids."""

    def __init__(
        self,
        line: Line,
        cards: Mapping[str, Card],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line = line
        self._cards = cards
        self._clock = clock
        self._passes: dict[str, Pass | None] = {}
        self.registrations = 0

    async def keep(self) -> Sequence[Component]:
        """See to it that every entry is there; all components that are, ours among them.

        Unanswered when Hermes does not do its part.
        """
        for id in self._cards:
            await self._beat(id)
        listed = await self._listed()
        missing = self._missing(listed)
        if not missing:
            return listed
        for id in missing:
            await self._register(id)
            await self._beat(id)
        listed = await self._listed()
        still = ", ".join(self._missing(listed))
        if still:
            raise Unanswered(f"hermes says that it has registered {still}, and does not list it.")
        return listed

    async def take_back(self) -> None:
        """Take back every entry that is there, or may be; Unanswered if one could not be."""
        await asyncio.gather(*(self._take_back(id) for id in tuple(self._passes)))

    async def _beat(self, id: str) -> None:
        held = self._passes.get(id)
        if held is None or held.renew_at <= self._clock():
            held = await self._register(id)
        try:
            await self._heartbeat(id, held)
        except Unanswered as error:
            if error.status not in _NOT_KNOWN:
                raise
            await self._heartbeat(id, await self._register(id))

    async def _heartbeat(self, id: str, held: Pass) -> None:
        body = {"component_id": id, "status": {"status": "healthy"}}
        await self._line.ask("POST", "/api/heartbeat", body, headers={TOKEN: held.token})

    async def _register(self, id: str) -> Pass:
        self._passes.setdefault(id, None)  # from here on it may be there, whatever is answered
        asked_at = self._clock()
        answer = await self._line.ask("POST", "/api/register", self._cards[id])
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not _fits_header(token):
            raise Unanswered("hermes registers without a token.")
        held = Pass(token, asked_at + lifetime_seconds(token) * RENEWED_PERCENT / 100)
        self._passes[id] = held
        self.registrations += 1
        return held

    async def _listed(self) -> Sequence[Component]:
        return read_components(await self._line.ask("GET", "/api/components"))

    def _missing(self, listed: Sequence[Component]) -> list[str]:
        there = {one.id for one in listed}
        return [id for id in self._cards if id not in there]

    async def _take_back(self, id: str) -> None:
        held = self._passes[id]
        if held is None:
            # It was cut off while it registered: without a token nothing can be taken back.
            held = await self._register(id)
        query = {"component_id": id}
        await self._line.ask("POST", "/api/unregister", query=query, headers={TOKEN: held.token})
        del self._passes[id]


def lifetime_seconds(token: str) -> int:
    """How long a token lives, as it says itself, whatever the time is at Hermes."""
    try:
        payload = msgspec.json.decode(token)["payload"]
        seconds = int(payload["exp"]) - int(payload["iat"])
    except (msgspec.DecodeError, TypeError, KeyError, ValueError, OverflowError):
        return LIFETIME_SECONDS
    return seconds if 0 < seconds <= LIFETIME_SECONDS * 24 else LIFETIME_SECONDS


def _fits_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and 0 < len(token) <= 8192

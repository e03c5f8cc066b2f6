"""Changes: which resources of those that somebody follows have changed, as that happens.

A resource is named when an event touches it, at most once a second: what it is now must be read.
One reader of the journal serves all who follow the same resource with the same bounds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, NamedTuple

from budget.domain.answers import Event
from budget.domain.errors import BudgetError, Unavailable
from budget.mcp.asking import Guest
from budget.mcp.resources import Place, place_of

PACE_SECONDS: Final = 1.0
MOST_FOLLOWED: Final = 200
_AGAIN_SECONDS: Final = 1.0
_PRICES: Final = ("price_updates",)
_MONEY: Final = (
    "budget_events", "allocation_updates", "budget_alerts", "policy_updates",
)  # fmt: skip

log = logging.getLogger("budget.mcp")


class _Followed(NamedTuple):
    uri: str
    bound: tuple[tuple[str, str], ...]


class Listener:
    """Somebody who follows resources, open until closed."""

    def __init__(self) -> None:
        self._changed: dict[str, None] = {}
        self._woken = asyncio.Event()
        self._closed = False

    def touch(self, uri: str) -> None:
        """A resource has changed."""
        self._changed[uri] = None
        self._woken.set()

    def close(self) -> None:
        """Hear no more."""
        self._closed = True
        self._woken.set()

    async def changed(self) -> AsyncIterator[str]:
        """The resources that have changed, each once in a while, until it is closed."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._closed:
                return
            some, self._changed = self._changed, {}
            for uri in some:
                yield uri
            await asyncio.sleep(PACE_SECONDS)


class Changes:
    """The resources that are followed, and by whom; open until closed."""

    def __init__(self) -> None:
        self._listeners: dict[_Followed, set[Listener]] = {}
        self._readers: dict[_Followed, asyncio.Task[None]] = {}

    @property
    def count(self) -> int:
        """How many readers follow the journal."""
        return len(self._readers)

    def follow(self, listener: Listener, guest: Guest, uris: Iterable[str]) -> None:
        """Tell a listener when these change; Unavailable if too many are followed already."""
        for uri in uris:
            followed = _Followed(uri, guest.bound)
            if followed not in self._readers:
                if len(self._readers) >= MOST_FOLLOWED:
                    raise Unavailable("Too many resources are followed here; try again later.")
                reading = self._read(followed, guest, place_of(uri))
                self._readers[followed] = asyncio.create_task(reading)
            self._listeners.setdefault(followed, set()).add(listener)

    def leave(self, listener: Listener, uris: Iterable[str] | None = None) -> None:
        """Tell a listener no more of these, or of anything."""
        named = None if uris is None else set(uris)
        for followed, listeners in list(self._listeners.items()):
            if named is None or followed.uri in named:
                listeners.discard(listener)
                if not listeners:
                    self._forget(followed)

    def close(self) -> None:
        """End what every listener hears."""
        for followed, listeners in list(self._listeners.items()):
            for listener in listeners:
                listener.close()
            self._forget(followed)

    def _forget(self, followed: _Followed) -> None:
        self._listeners.pop(followed, None)
        reader = self._readers.pop(followed, None)
        if reader is not None:
            reader.cancel()

    async def _read(self, followed: _Followed, guest: Guest, place: Place) -> None:
        while True:
            try:
                async for event in guest.books.follow(**_events_of(place)):
                    if _touches(event, place):
                        for listener in self._listeners.get(followed, ()):
                            listener.touch(followed.uri)
            except BudgetError as error:
                log.warning("%s could not be followed this time: %s", followed.uri, error)
            await asyncio.sleep(_AGAIN_SECONDS)


def _events_of(place: Place) -> dict[str, Any]:
    match place.kind:
        case "prices":
            return {"topics": _PRICES}
        case "budgets":
            return {"topics": _MONEY, "budget_id": place.names[0]}
        case _:
            return {"topics": _MONEY}


def _touches(event: Event, place: Place) -> bool:
    """Whether an event is of a resource; one of prices that names no model may be of any."""
    if place.kind != "prices":
        return True
    return place.names[1] in event.detail or '"model"' not in event.detail

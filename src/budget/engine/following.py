"""Following: the events of the journal as they come, for whoever has the books open.

It is woken by commits of this process and looks for those of others four times a second. What it
reads lies below the point where nothing can still appear, so nothing is skipped and nothing comes
twice. Not here: the thread that a service follows with (`events.feed`).
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from budget.domain import cursors
from budget.domain.answers import Event
from budget.domain.answers_pages import Page
from budget.domain.asks_reading import FollowAsk
from budget.domain.events import Filter
from budget.engine.books import Books
from budget.engine.callers import Caller
from budget.engine.events import reading
from budget.engine.events.asks import parse_filter
from budget.engine.fields import only_fields

POLL_SECONDS: Final = 0.25
PAGE: Final = 500
_FIELDS: Final = frozenset(FollowAsk.__annotations__)


class Followed:
    """A place in the journal, and which events after it are wanted; None: those from now on."""

    def __init__(self, books: Books, caller: Caller, ask: Mapping[str, Any]) -> None:
        only_fields(ask, _FIELDS)
        after = ask.get("after")
        self._wanted: Filter = parse_filter(ask, audited=True)
        self._books = books
        self._bound = caller.bound
        self._at = cursors.encode(after) if isinstance(after, int) else after
        if self._at is not None:
            cursors.decode(self._at)
        self._from_now = after is None

    def begin(self) -> None:
        """Find out where now is, if that is where it begins."""
        if self._from_now:
            newest = reading.newest(self._books.database)
            self._at = None if newest == reading.BEGINNING else cursors.encode(newest)
            self._from_now = False

    def more(self) -> tuple[Sequence[Event], bool]:
        """The next events, and whether that was all there is now."""
        page: Page[Event] = reading.events(
            self._books.database, after=self._at, limit=PAGE, wanted=self._wanted,
            bound=self._bound,
        )  # fmt: skip
        ended = page.next_cursor == self._at
        self._at = page.next_cursor
        return page.items, ended


def following(books: Books, followed: Followed) -> Iterator[Event]:
    """The events, waiting for those to come, without end."""
    woken = threading.Event()
    books.ledger.add_listener(woken.set)
    try:
        while True:
            woken.clear()
            events, ended = followed.more()
            yield from events
            if ended:
                woken.wait(POLL_SECONDS)
    finally:
        books.ledger.drop_listener(woken.set)


async def awaiting(followed: Followed) -> AsyncIterator[Event]:
    """The events, awaiting those to come, without end."""
    await asyncio.to_thread(followed.begin)
    while True:
        events, ended = await asyncio.to_thread(followed.more)
        for event in events:
            yield event
        if ended:
            await asyncio.sleep(POLL_SECONDS)

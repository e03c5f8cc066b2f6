"""The feed: follows the journal as it grows, in a thread of its own, for one who is told of it.

It is woken by commits of this process's ledger, and looks for those of other nodes four times a
second. What it reads lies below the point where nothing can still appear, so nothing is skipped.
Not here: who hears of what (`http.live`), and reading the past (`reading`).
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from budget.domain.errors import BudgetError
from budget.engine.books import Books
from budget.engine.events.reading import Happened, events_after

POLL_SECONDS: Final = 0.25
PACE_SECONDS: Final = 0.05
"""How long what was read is apart from what is read next: what happens meanwhile comes together."""
PAGE: Final = 500

log = logging.getLogger("budget.events")


class News(NamedTuple):
    """Events in the order of their cursors, the last of which is `upto`."""

    happened: Sequence[Happened]
    upto: int


class Feed:
    """Follows the journal from `start` until it is closed.

    `tell` is called in the feed's thread and may wait: what happens meanwhile comes together.
    `closer` says whether events are read with what they are about.
    """

    def __init__(
        self, books: Books, tell: Callable[[News], None], closer: Callable[[], bool]
    ) -> None:
        self._books = books
        self._tell = tell
        self._closer = closer
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, at: int) -> None:
        """Begin with what comes after a cursor."""
        self._books.ledger.add_listener(self._woken.set)
        self._thread = threading.Thread(
            target=self._run, args=(at,), name="budget-events", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Tell no more, soon; does not wait."""
        self._stopped.set()
        self._books.ledger.drop_listener(self._woken.set)
        self._woken.set()

    def close(self) -> None:
        """Stop, after what is under way."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, at: int) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                at = self._read_on(at)
            except BudgetError as error:
                log.warning("the journal could not be read this time: %s", error)
                self._stopped.wait(1)
            except Exception:
                log.exception("the journal could not be read this time")
                self._stopped.wait(1)
            self._woken.wait(POLL_SECONDS)

    def _read_on(self, at: int) -> int:
        """Tell all there is after a cursor; that of the last."""
        while not self._stopped.is_set():
            began = time.monotonic()
            page = events_after(self._books.database, at, PAGE, closer=self._closer())
            if not page:
                return at
            at = page[-1].event.cursor
            self._tell(News(page, at))
            if len(page) < PAGE:
                self._stopped.wait(max(0.0, began + PACE_SECONDS - time.monotonic()))
        return at

"""Price refresh: reads the configured sources anew, at the times that settings say.

Several processes of one database may run it: whoever comes first does it, the others find it done.
Not here: what an update does (`acts`).
"""

import logging
import random
import threading
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from budget.domain.errors import BudgetError
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.acts import update
from budget.engine.snapshots import snapshot

if TYPE_CHECKING:
    from budget.engine.books import Books

log = logging.getLogger("budget.prices")

FIRST_SECONDS: Final = 20.0
"""How long after the start the first look is, at the soonest."""
JITTER: Final = 0.1
ACTOR: Final = "budget"

_chance: Final = random.Random()  # noqa: S311 - no secret; programs may seed the common one


class PriceRefresh:
    """A thread that sleeps nearly always; none at all where nothing is to be refreshed."""

    def __init__(self, books: "Books", *, first_seconds: float = FIRST_SECONDS) -> None:
        self._books = books
        self._first_seconds = first_seconds
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, if there is something to do."""
        settings = self._books.shelf.settings
        if settings.refresh_seconds is None or not settings.sources:
            return
        self._thread = threading.Thread(target=self._run, name="budget-price-refresh", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop. What is being fetched is left to itself; what is being written gets written."""
        self._stopped.set()

    def _run(self) -> None:
        wait_seconds = self._first_seconds
        while not self._stopped.wait(wait_seconds * _chance.uniform(1, 1 + JITTER)):
            try:
                wait_seconds = self._refresh()
            except (BudgetError, SQLAlchemyError, OSError) as error:
                log.warning("prices could not be refreshed: %s", error)
                wait_seconds = self._every
            except Exception:
                log.exception("prices could not be refreshed")
                wait_seconds = self._every

    @property
    def _every(self) -> float:
        return float(self._books.shelf.settings.refresh_seconds or 0)

    def _refresh(self) -> float:
        """Read the sources that are due; seconds until the next is."""
        books = self._books
        every_us = int(self._every * 1_000_000)
        now_us = books.database.now_us()
        with snapshot(books.database) as connection:
            checked = {
                name: row.checked_us for name, row in price_rows.read_sources(connection).items()
            }
        left_us = []
        due = []
        for name in books.shelf.settings.sources:
            since_us = now_us - (checked.get(name) or 0)
            if since_us >= every_us:
                due.append(name)
                left_us.append(every_us)
            else:
                left_us.append(every_us - since_us)
        for told in update(books, due, None, ACTOR).sources if due else ():
            log.info("prices of %s: %s%s", told.source, told.status,
                     f" ({told.error})" if told.error else "")  # fmt: skip
        return min(left_us) / 1_000_000

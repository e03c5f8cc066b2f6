"""Key uses: when each key was last used, written down once a minute, beside what calls wait for.

Not here: who notes that a key was used (`http.auth`).
"""

import logging
import threading
from typing import Final

from sqlalchemy import update

from budget.domain.errors import BudgetError
from budget.engine.batch import Batch
from budget.engine.books import Books
from budget.engine.ledger import Ticket
from budget.storage.key_tables import api_keys

ROUND_SECONDS: Final = 60.0
AT_ONCE: Final = 500

log = logging.getLogger(__name__)


class KeyUses:
    """Writes down which keys were used, once a round until it is closed, and then a last time."""

    def __init__(self, books: Books, every_seconds: float = ROUND_SECONDS) -> None:
        self._books = books
        self._every_seconds = every_seconds
        self._used: dict[str, None] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="budget-key-uses", daemon=True)
        self._thread.start()

    def note(self, key_id: str) -> None:
        """A key was used. It costs next to nothing, and may be said as often as one likes."""
        self._used[key_id] = None

    def close(self) -> None:
        """Write down what was noted, and stop."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            self._write()
        self._write()

    def _write(self) -> None:
        # Whoever notes a key meanwhile may still hold the old dict; it will note it again.
        used, self._used = self._used, {}
        key_ids = list(used)
        try:
            for at in range(0, len(key_ids), AT_ONCE):
                write_uses(self._books, key_ids[at : at + AT_ONCE])
        except BudgetError as error:
            log.warning("when keys were last used was not written down: %s", error)
        except Exception:
            log.exception("writing down when keys were last used failed")


def write_uses(books: Books, key_ids: list[str]) -> None:
    """Write down that keys were used by now, in the writer's turn. No entry tells of it."""

    def writing(batch: Batch) -> None:
        used = update(api_keys).where(api_keys.c.key_id.in_(key_ids))
        batch.unit.execute(used.values(last_used_us=batch.now_us))

    books.ledger.do(lambda waiter: Ticket(waiter, change=writing))

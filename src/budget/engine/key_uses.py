"""Key uses: when each key was last used, written down once a minute, beside what calls wait for.

Not here: who notes that a key was used (`http.auth`).
"""

import logging
from typing import Final

from sqlalchemy import update

from budget.engine.background import Again
from budget.engine.beside import transaction
from budget.engine.books import Books
from budget.storage.errors import StorageError
from budget.storage.key_tables import api_keys

ROUND_SECONDS: Final = 60.0
AT_ONCE: Final = 500

log = logging.getLogger("budget.keys")


class KeyUses:
    """Writes down which keys were used, once a round until it is closed, and then a last time."""

    def __init__(self, books: Books, every_seconds: float = ROUND_SECONDS) -> None:
        self._books = books
        self._used: dict[str, None] = {}
        self._again = Again("key uses", every_seconds, lambda _: self._write())

    def note(self, key_id: str) -> None:
        """A key was used. It costs next to nothing, and may be said as often as one likes."""
        self._used[key_id] = None

    def close(self) -> None:
        """Write down what was noted, if it can be, and stop."""
        self._again.close()
        self._write()

    def _write(self) -> None:
        # Whoever notes a key meanwhile may still hold the old dict; it will note it again.
        used, self._used = self._used, {}
        key_ids = list(used)
        for at in range(0, len(key_ids), AT_ONCE):
            write_uses(self._books, key_ids[at : at + AT_ONCE])


def write_uses(books: Books, key_ids: list[str]) -> None:
    """Write down that keys were used by now. No entry tells of it.

    It writes beside the ledger's writer, in a transaction of its own, and keeps nobody waiting.
    """
    unit = books.database.unit()
    used = update(api_keys).where(api_keys.c.key_id.in_(key_ids))
    try:
        with transaction(unit, books.database) as now_us:
            unit.execute(used.values(last_used_us=now_us))
    except StorageError as error:
        log.debug("when keys were used was not written: %s", error)
    finally:
        unit.close()

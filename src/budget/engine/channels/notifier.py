"""The notifier: follows the journal and tells channels, in the background of a service.

One thread looks for what is new and what is due; a few others speak to receivers, never two of them
to the same one, so that one that is slow keeps nobody else waiting. Several services of one
database may run it at once. Not here: what it looks for (`outbox`), how it is told (`sending`).
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from budget.domain.errors import BudgetError
from budget.engine.channels import outbox, sending
from budget.engine.channels.outbox import LEASE_SECONDS, WAITS_SECONDS, Claimed, Places
from budget.storage.errors import StorageError, Transient

if TYPE_CHECKING:
    from budget.engine.books import Books
    from budget.storage.unit import Unit

ROUND_SECONDS: Final = 0.5
SENDERS: Final = 8
TRIES: Final = 5
FIRST_PRUNE_SECONDS: Final = 60.0
PRUNE_SECONDS: Final = 3600.0
KNOWN_SECONDS: Final = 0.1
"""For how long what came of deliveries is known and not written down."""

log = logging.getLogger("budget.channels")


class Notifier:
    """Runs from `start` until it is closed. `waits` are those between attempts, in seconds."""

    def __init__(
        self,
        books: "Books",
        *,
        every_seconds: float = ROUND_SECONDS,
        waits: Sequence[float] = WAITS_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._books = books
        self._every_seconds = every_seconds
        self._waits = waits
        self._lease_seconds = lease_seconds
        self._places: Places = {}
        self._prunes_at = time.monotonic() + FIRST_PRUNE_SECONDS
        self._busy: set[str] = set()
        self._freed = threading.Lock()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._senders = ThreadPoolExecutor(SENDERS, "budget-sender")
        self._thread = threading.Thread(target=self._run, name="budget-notifier", daemon=True)

    def start(self) -> "Notifier":
        """Begin; what happened since the last time comes first."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop. What is being sent is waited for, at most 10 seconds; the rest is sent later."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        self._senders.shutdown()

    def _run(self) -> None:
        unit = self._books.database.unit()
        try:
            while not self._stopped.is_set():
                self._woken.clear()
                try:
                    self._turn(unit)
                except (BudgetError, StorageError) as error:
                    log.warning("channels were not looked after this time: %s", error)
                except Exception:
                    log.exception("channels were not looked after this time")
                self._woken.wait(self._every_seconds)
        finally:
            unit.close()

    def _turn(self, unit: "Unit") -> None:
        """Note what is new, and hand out what is due."""
        database = self._books.database
        if time.monotonic() >= self._prunes_at:
            self._prunes_at = time.monotonic() + PRUNE_SECONDS
            outbox.prune(database, unit)
        outbox.gather(database, unit, self._places)
        with self._freed:
            busy = set(self._busy)
        for claimed in outbox.claim(database, unit, busy, self._lease_seconds):
            with self._freed:
                self._busy.add(claimed.channel_id)
            self._senders.submit(self._send, claimed)

    def _send(self, claimed: Claimed) -> None:
        known: list[outbox.Result] = []
        began_at = time.monotonic()
        unit = self._books.database.unit()
        try:
            for results in sending.work(self._books, claimed, self._waits, self._stopped):
                known += results
                # Soon, for what is not written down when the process is killed is sent again.
                if time.monotonic() >= began_at + KNOWN_SECONDS:
                    self._finish(unit, known, claimed.until_us)
                    known, began_at = [], time.monotonic()
            self._finish(unit, known, claimed.until_us)
        except Exception:
            log.exception("channel %s could not be told; it is tried again", claimed.channel_id)
        finally:
            unit.close()
            with self._freed:
                self._busy.discard(claimed.channel_id)
            self._woken.set()  # there may be more for it

    def _finish(self, unit: "Unit", results: Sequence[outbox.Result], until_us: int) -> None:
        for tried in range(TRIES):
            try:
                outbox.finish(self._books.database, unit, results, until_us)
            except Transient:
                if tried == TRIES - 1:
                    raise
            else:
                return

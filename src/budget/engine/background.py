"""In the background: something that is done again and again, in a thread of its own.

Not here: what is done (`calibrating`, `sealing`), and what has a beginning of its own
(`price_book.refresh`, `channels.notifier`).
"""

import logging
import threading
from collections.abc import Callable

from budget.domain.errors import BudgetError

log = logging.getLogger("budget.background")


class Again:
    """Does `act` every so many seconds until it is closed; what fails now is tried the next time.

    The act is given an event that is set when it should come to its end.
    """

    def __init__(
        self, name: str, every_seconds: float, act: Callable[[threading.Event], object]
    ) -> None:
        self._name = name
        self._every_seconds = every_seconds
        self._act = act
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"budget-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, after what is under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            try:
                self._act(self._stopped)
            except BudgetError as error:
                log.warning("%s did nothing this time: %s", self._name, error)
            except Exception:
                log.exception("%s failed", self._name)

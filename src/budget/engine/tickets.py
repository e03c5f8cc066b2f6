"""Tickets: what the ledger is asked, on its way; and who waits for it, a thread or an event loop.

Not here: how it is done (`ledger`).
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from budget.engine.batch import Batch
from budget.engine.commands import Command

CatalogueChange = Callable[[Batch], Any]
"""A change of the catalogue, run alone in its transaction on an empty batch."""


class Waiter(Protocol):
    """Whoever waits for a ticket: a thread, or an event loop."""

    def wake(self, tickets: "Sequence[Ticket]") -> None:
        """Tell that these tickets are done."""


class Ticket:
    """One command on its way: `answer` or `error` is set once it is done."""

    __slots__ = ("answer", "change", "command", "error", "future", "queued_at", "retried", "waiter")

    def __init__(
        self, waiter: Waiter, command: Command | None = None, change: CatalogueChange | None = None
    ) -> None:
        self.waiter = waiter
        self.command = command
        self.change = change
        self.answer: Any = None
        self.error: BaseException | None = None
        self.future: Any = None
        self.queued_at = 0.0
        self.retried = False

    def result(self) -> Any:
        """The answer; raises the error if that is what came."""
        if self.error is not None:
            raise self.error
        return self.answer


class ThreadWaiter:
    """A thread that waits for one ticket."""

    __slots__ = ("_done",)

    def __init__(self) -> None:
        self._done = threading.Lock()
        self._done.acquire()

    def wake(self, tickets: Sequence[Ticket]) -> None:  # noqa: ARG002 - it has only one
        self._done.release()

    def wait(self) -> None:
        """Block until the ticket is done."""
        self._done.acquire()


class ManyWaiter:
    """A thread that waits for many tickets, which several batches may answer."""

    __slots__ = ("_done", "_left")

    def __init__(self, count: int) -> None:
        self._left = count
        self._done = threading.Condition()

    def wake(self, tickets: Sequence[Ticket]) -> None:
        with self._done:
            self._left -= len(tickets)
            if self._left <= 0:
                self._done.notify()

    def wait(self) -> None:
        """Block until all tickets are done."""
        with self._done:
            self._done.wait_for(lambda: self._left <= 0)

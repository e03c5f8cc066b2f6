"""The meter: what the ledger has done since the process began, counted as it does it.

Only the writer's thread counts, but for what is late; whoever reads sees figures that may be a
moment old. Not here: how
they are shown (`http.metrics`), and what lies in the books (`gauges`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, Final

from budget.domain.answers import Refusal
from budget.domain.errors import BudgetError, Unavailable

SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Histogram:
    """How many values fell below each bound, their number and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound, values up to it), the last one "+Inf", as Prometheus takes them."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            found.append((str(bound), total))
        return found


class Meter:
    """What a ledger counts. `decisions` is by act and result; see `result_of`."""

    def __init__(self) -> None:
        self.decisions: dict[tuple[str, str], int] = {}
        self.batch_sizes = Histogram(SIZES)
        self.batch_seconds = Histogram(SECONDS)
        self.wait_seconds = Histogram(SECONDS)
        """From being queued to being answered."""

        self.writing = True
        """Whether the last batch reached the database."""
        self.late = 0
        """Commands that waited too long in the queue (counted by the ledger's watch)."""

    def committed(self, size: int, seconds: float) -> None:
        """A batch of so many commands was committed; one of none only shows that it could be."""
        self.writing = True
        if size:
            self.batch_sizes.add(size)
            self.batch_seconds.add(seconds)

    def answered(self, tickets: Iterable[Any], now: float) -> None:
        """These tickets of the ledger are answered at `now`, on the clock they were queued by.

        A refusal that is not the last word is `tentative`.
        """
        decisions, wait = self.decisions, self.wait_seconds
        for ticket in tickets:
            command = ticket.command
            act = "change" if command is None else command.act
            if act == "allocate" and command.dry:
                act = "check"
            result = result_of(ticket.answer, ticket.error)
            if result == "refused" and getattr(command, "tentative", False):
                result = "tentative"
            name = (act, result)
            decisions[name] = decisions.get(name, 0) + 1
            wait.add(now - ticket.queued_at)


def result_of(answer: object, error: BaseException | None) -> str:
    """What became of a command: accepted, replayed, refused, rejected, unavailable or failed.

    Refused is by a limit, rejected for what was asked, unavailable for want of a database.
    """
    if error is None:
        if isinstance(answer, Refusal):
            return "refused"
        return "replayed" if getattr(answer, "replayed", False) else "accepted"
    if isinstance(error, Unavailable):
        return "unavailable"
    return "rejected" if isinstance(error, BudgetError) else "failed"

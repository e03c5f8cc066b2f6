"""Traffic: what the service was asked, counted by route; nothing of who asked or what for.

The number of figures is bounded by the table of routes. Not here: how they are shown (`metrics`).
"""

from typing import Final

from budget.engine.meter import SECONDS, Histogram

CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")


class Traffic:
    """Counts requests by method and route; only the event loop's thread counts."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str, str], int] = {}
        """By method, route, and class of status."""
        self.seconds: dict[tuple[str, str], Histogram] = {}

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """A request was answered; `path` is that of its route, with the names of ids in it."""
        name = (method, path, CLASSES[status // 100 - 1])
        self.answers[name] = self.answers.get(name, 0) + 1
        histogram = self.seconds.get((method, path))
        if histogram is None:
            histogram = self.seconds[method, path] = Histogram(SECONDS)
        histogram.add(seconds)

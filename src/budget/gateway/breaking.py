"""Breaking: an upstream that fails again and again is left alone for a while.

After five failures in a row it is left out for ten seconds; then one call may try it, and if that
fails too, or is not heard of again, one more after as long. Not here: what is a failure
(`attempt`), and which upstream is called instead (`passing`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

FAILURES: Final = 5
OPEN_SECONDS: Final = 10.0


@dataclass(slots=True)
class _Failing:
    """How often it failed in a row, and until when it is left out, if it is."""

    times: int = 0
    until: float | None = None


class Breakers:
    """The upstreams that fail, by name; of one event loop."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._failing: dict[str, _Failing] = {}

    def may(self, name: str) -> bool:
        """Whether it may be called; who is let through to one that was left out is its trial."""
        failing = self._failing.get(name)
        if failing is None or failing.until is None:
            return True
        now = self._now()
        if now < failing.until:
            return False
        failing.until = now + OPEN_SECONDS
        return True

    def left_out_seconds(self, name: str) -> float:
        """How long nobody may call it yet; 0 if somebody may."""
        failing = self._failing.get(name)
        if failing is None or failing.until is None:
            return 0.0
        return max(0.0, failing.until - self._now())

    def worked(self, name: str) -> None:
        """It answered, whatever it said."""
        self._failing.pop(name, None)

    def failed(self, name: str) -> None:
        """It did not answer, or said that it cannot."""
        failing = self._failing.setdefault(name, _Failing())
        failing.times += 1
        if failing.times >= FAILURES:
            failing.until = self._now() + OPEN_SECONDS

    def left_out(self) -> tuple[str, ...]:
        """Those that have not worked since they were left out."""
        return tuple(sorted(name for name, one in self._failing.items() if one.until is not None))

"""Virtual: an event loop whose clock jumps to what comes next, so that waiting takes no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Looks without waiting, and tells how long it was to wait."""

    slept_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.slept_seconds += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on which nothing but timers happens."""

    def __init__(self) -> None:
        self.virtual = _Selector()
        super().__init__(self.virtual)

    def time(self) -> float:
        """Seconds since the loop was made, as it was told to wait them."""
        return self.virtual.slept_seconds


def run(doing: Coroutine[Any, Any, T]) -> T:
    """Run it in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(doing)

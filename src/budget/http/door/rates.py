"""Rates: how many requests a second each key may make of this process.

Not here: which keys have a limit (`door`), and what they may spend (`domain.decide`).
"""

import math
import time
from collections.abc import Callable
from typing import Final

from budget.engine.door_settings import Rate
from budget.http.problems import TooMany

MAX_NAMES: Final = 10_000

_ROUNDING_SECONDS: Final = 1e-6


class Rates:
    """A bucket for each name: full at first, emptied by requests, filled by time."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._each_seconds = 1 / rate.per_second
        self._burst_seconds = rate.burst / rate.per_second
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def spend(self, name: str) -> None:
        """Take one request from a bucket; TooMany if it is empty."""
        now = self._clock()
        full_at = self._full_at.get(name)
        if full_at is None:
            if len(self._full_at) >= MAX_NAMES:  # who came first here starts with a full bucket
                del self._full_at[next(iter(self._full_at))]
            full_at = now
        elif full_at < now:
            full_at = now
        full_at += self._each_seconds
        if full_at - now > self._burst_seconds + _ROUNDING_SECONDS:
            wait = math.ceil(full_at - now - self._burst_seconds)
            raise TooMany(
                f"This key may make {self._rate.per_second} requests a second, "
                f"{self._rate.burst} at once.",
                wait,
                code="rate_limited",
            )
        self._full_at[name] = full_at

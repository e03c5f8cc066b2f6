"""Attempts: how often somebody may be wrong, a minute, before nobody listens for a while.

Each name (an address, the id of a key) has a bucket of its own, in the memory of this process. Not
here: what a failure is, and who is let in all the same (`door`).
"""

import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from budget.http.problems import TooMany

MAX_NAMES: Final = 10_000
MAX_FORWARDED_CHARS: Final = 2048
FORWARDED: Final = b"x-forwarded-for"

_MINUTE_SECONDS: Final = 60.0
_ROUNDING_SECONDS: Final = 1e-6


class Attempts:
    """Failed attempts by name. Names that have not failed for a minute are forgotten."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._each_seconds = _MINUTE_SECONDS / per_minute
        self._clock = clock
        # When all failures of a name will be forgotten; the newest failure comes last.
        self._forgotten_at: dict[str, float] = {}
        self._until = 0.0

    @property
    def anybody(self) -> bool:
        """Whether anybody was wrong within the last minute."""
        if self._until and self._clock() >= self._until:
            self._until = 0.0
        return self._until > 0

    def wait_seconds(self, name: str) -> int:
        """How long until a name may fail again; 0 if it may now."""
        forgotten_at = self._forgotten_at.get(name)
        if forgotten_at is None:
            return 0
        left = forgotten_at - self._clock() + self._each_seconds - _MINUTE_SECONDS
        return max(0, math.ceil(left - _ROUNDING_SECONDS))

    def fail(self, name: str) -> int:
        """Count a failure; how long to wait if it was one too many, which is then not counted."""
        wait = self.wait_seconds(name)
        if wait:
            return wait
        now = self._clock()
        before = self._forgotten_at.pop(name, now)
        if len(self._forgotten_at) >= MAX_NAMES:  # who failed longest ago is forgotten
            del self._forgotten_at[next(iter(self._forgotten_at))]
        self._forgotten_at[name] = until = max(now, before) + self._each_seconds
        self._until = max(self._until, until)
        return 0


def too_many(wait_seconds: int) -> TooMany:
    """The one answer to whoever was wrong too often."""
    return TooMany(
        "Too many attempts with keys, cookies or links that are not valid; wait, then use a valid "
        "one.",
        wait_seconds,
    )


def address_of(
    client: tuple[str, int] | None, headers: Mapping[bytes, bytes], proxied: bool
) -> str:
    """Where a request comes from: of IPv6 the network of 64 bits, which one customer has.

    Behind a proxy it is what that proxy, the last one, says in `X-Forwarded-For`.
    """
    text = client[0] if client is not None else ""
    if proxied:
        said = headers.get(FORWARDED, b"")[-MAX_FORWARDED_CHARS:].decode("latin-1")
        text = said.rpartition(",")[2].strip().strip("[]") or text
    return _network_of(text)


@lru_cache(maxsize=1024)
def _network_of(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False).network_address)
    return str(address)

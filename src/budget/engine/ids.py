"""Ids: a prefix, then 32 hexadecimal digits that sort by the time they were made.

They name things and keep no secret, so they come from the process's own generator: to ask the
system for randomness gives the interpreter lock away, which the writer can ill afford.
"""

import os
import random
import time

_random = random.Random(os.urandom(32))  # noqa: S311 - unique, not secret
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))


_last = 0


def new_id(prefix: str) -> str:
    """`prefix_`, 48 bits of milliseconds since 1970, 80 random bits.

    Each sorts behind what its thread has made before, also within a millisecond, or when the clock
    was set back: it is then that of before with a random number added.
    """
    global _last  # two threads may read the same one: chance keeps theirs apart
    made = time.time_ns() // 1_000_000 << 80 | _random.getrandbits(80)
    if made <= _last:
        made = _last + 1 + _random.getrandbits(64)
    _last = made
    return f"{prefix}_{made:032x}"


def new_ids_down(prefix: str, count: int) -> list[str]:
    """Ids of one moment, the highest first: lists that tell the newest first keep their order."""
    return sorted((new_id(prefix) for _ in range(count)), reverse=True)

"""Ids: a prefix, then 32 hexadecimal digits that sort by the time they were made.

They name things and keep no secret, so they come from the process's own generator: to ask the
system for randomness gives the interpreter lock away, which the writer can ill afford.
"""

import os
import random
import time

_random = random.Random(os.urandom(32))  # noqa: S311 - unique, not secret
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))


def new_id(prefix: str) -> str:
    """`prefix_`, 48 bits of milliseconds since 1970, 80 random bits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_random.getrandbits(80):020x}"


def new_ids_down(prefix: str, count: int) -> list[str]:
    """Ids of one moment, the highest first: lists that tell the newest first keep their order."""
    return sorted((new_id(prefix) for _ in range(count)), reverse=True)

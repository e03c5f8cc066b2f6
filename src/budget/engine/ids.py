"""Ids: a prefix, then 32 hexadecimal digits that sort by the time they were made."""

import os
import time


def new_id(prefix: str) -> str:
    """`prefix_`, 48 bits of milliseconds since 1970, 80 random bits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"

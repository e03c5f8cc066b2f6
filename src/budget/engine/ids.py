"""Ids: a prefix, then 26 characters that sort by the time they were made."""

import os
import time
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]
_RANDOM_BITS: Final = 82


def new_id(prefix: str) -> str:
    """`prefix_` and 48 bits of milliseconds and 82 random bits, in lower-case Crockford base 32."""
    number = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | (
        int.from_bytes(os.urandom(11), "big") >> 6
    )
    pairs = [_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)]
    return f"{prefix}_{''.join(pairs)}"

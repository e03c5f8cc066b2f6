"""Sound: how long a recording is at most, by its bytes.

Exactly for WAV without compression, whose head says how many bytes a second has; else by the least
that any usual way to squeeze speech needs. Not here: what a second costs (`domain.pricing`).
"""

from typing import Final

LEAST_BYTES_PER_SECOND: Final = 750
"""6 kbit/s, Opus at its lowest."""
_PLAIN: Final = frozenset({1, 3})
"""Integers and floating point numbers, one for each sample."""
_EXTENSIBLE: Final = 0xFFFE


def most_milliseconds(content: bytes) -> int:
    """As long as the recording is, or longer."""
    rate = _bytes_per_second(content) or LEAST_BYTES_PER_SECOND
    return -(-len(content) * 1000 // rate)


def _bytes_per_second(content: bytes) -> int | None:
    """What a second of plain WAV has; None for anything else."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return None
    at = 12
    while at + 24 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        if content[at : at + 4] != b"fmt ":
            at += 8 + size + size % 2
            continue
        head = content[at + 8 : at + 8 + size]
        kind = int.from_bytes(head[:2], "little")
        if kind == _EXTENSIBLE:
            kind = int.from_bytes(head[24:26], "little")
        channels, bits = (int.from_bytes(head[place : place + 2], "little") for place in (2, 14))
        rate = int.from_bytes(head[4:8], "little") * channels * bits // 8
        return rate if kind in _PLAIN and rate else None
    return None

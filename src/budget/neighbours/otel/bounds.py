"""Bounds: how large a request may be, looked at before anything of it is built.

A few megabytes of empty spans would become gigabytes in memory; so what is in a request is counted
on the wire first. Not here: how it is read (`encodings`).
"""

import zlib
from collections.abc import Mapping
from typing import Final

from budget.domain.errors import BudgetError, InvalidInput

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
MAX_PLAIN_BYTES: Final = 16 * 1024 * 1024
"""After it was unpacked."""
MAX_PARTS: Final = 50_000
"""Resources, scopes and spans or points together."""
MAX_OBJECTS: Final = 1_000_000
"""Of JSON, where each attribute is two."""

_GZIP: Final = 31
_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5
_MAX_VARINT_BYTES: Final = 10

Path = tuple[frozenset[int], ...]

_RECORDS: Final[Path] = (frozenset({1}), frozenset({2}), frozenset({2}))
PATHS: Final[Mapping[str, Path]] = {
    "traces": _RECORDS,
    "logs": _RECORDS,
    "metrics": (*_RECORDS, frozenset({5, 7, 9, 10, 11}), frozenset({1})),
}
"""The numbers of the fields that lead to spans, records and points."""


class TooLarge(BudgetError):
    """A request is longer than is taken, or has more in it."""

    code = "body_too_large"


def unpacked(body: bytes, coding: str) -> bytes:
    """A body as it was before it was packed. InvalidInput for what is not gzip, TooLarge for what
    would be longer than is taken, of which no more than that is unpacked.
    """
    if coding in ("", "identity"):
        return body
    plain = bytearray()
    packed = body
    try:
        while packed:
            unpacking = zlib.decompressobj(_GZIP)
            plain += unpacking.decompress(packed, MAX_PLAIN_BYTES + 1 - len(plain))
            if len(plain) > MAX_PLAIN_BYTES or unpacking.unconsumed_tail:
                raise TooLarge(f"A request may have at most {MAX_PLAIN_BYTES} bytes, unpacked.")
            if not unpacking.eof:
                raise InvalidInput("body", "is gzip that was cut off.")
            packed = unpacking.unused_data
    except zlib.error:
        raise InvalidInput("body", "is said to be gzip, but is not.") from None
    return bytes(plain)


def check_json(body: bytes) -> None:
    """TooLarge for JSON of too many objects."""
    if body.count(b"{") > MAX_OBJECTS:
        raise _too_much()


def check_protobuf(body: bytes, signal: str) -> None:
    """TooLarge for protobuf of too many parts; InvalidInput for what is none."""
    try:
        _count(body, 0, len(body), PATHS[signal], MAX_PARTS)
    except IndexError:
        raise _broken() from None


def _count(body: bytes, at: int, end: int, path: Path, left: int) -> int:
    """How many more parts there may be after those between two places of a body."""
    wanted, below = path[0], path[1:]
    while at < end:
        tag, at = _varint(body, at)
        kind = tag & 7
        if kind == _LENGTH:
            length, at = _varint(body, at)
            stop = at + length
            if stop > end:
                raise _broken()
            if tag >> 3 in wanted:
                left -= 1
                if left < 0:
                    raise _too_much()
                if below:
                    left = _count(body, at, stop, below, left)
            at = stop
        elif kind == _VARINT:
            _, at = _varint(body, at)
        elif kind in (_FIXED_64, _FIXED_32):
            at += 8 if kind == _FIXED_64 else 4
        else:  # groups, which OTLP never had
            raise _broken()
    return left


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number as protobuf writes it, and where it ends."""
    byte = body[at]
    if byte < 128:  # nearly always
        return byte, at + 1
    value = shift = 0
    for place in range(at, at + _MAX_VARINT_BYTES):
        byte = body[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place + 1
        shift += 7
    raise _broken()


def _too_much() -> TooLarge:
    return TooLarge(f"A request may have at most {MAX_PARTS} spans or points; send fewer at once.")


def _broken() -> InvalidInput:
    return InvalidInput("body", "is no OTLP request in protobuf.")

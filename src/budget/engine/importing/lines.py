"""Lines: what one row of somebody's usage export says, in our terms; and how values are read.

A line that cannot be read is a `Bad` with the reason; nothing here raises for a bad value but
`ValueError`, which becomes one. Not here: files (`files`), and what each source calls things
(`sources`).
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from budget.domain.windows import MAX_US

MAX_COUNT: Final = 10**12
MAX_USD: Final = 10**6
_MAX_CHARS: Final = 40
_NANO: Final = Decimal("1e-9")
_FIRST_EPOCH_MS: Final = 10**11
"""A number above is milliseconds since 1970, below it seconds."""


class Line(NamedTuple):
    """A row of an export. `cost_nanos` is what the source says; `counted`: it tells of tokens.

    `key_source`: what the source knows the caller's key by, where it is not the key's name here.
    """

    place: str
    source_id: str
    at_us: int
    provider: str | None
    model: str | None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 1
    cost_nanos: int | None = None
    attributes: Mapping[str, str] = {}
    counted: bool = True
    key_source: str | None = None


class Bad(NamedTuple):
    """A row that cannot be read: where it stands, and why."""

    place: str
    why: str


def whole(value: Any, name: str, *, signed: bool = False) -> int:
    """A count; nothing at all is 0. A `signed` one may be negative, as that of a correction."""
    if value is None or value == "":
        return 0
    number = _decimal(value, name)
    if number != number.to_integral_value():
        raise ValueError(f"{name} must be a whole number")
    if not 0 <= (abs(number) if signed else number) <= MAX_COUNT:
        raise ValueError(f"{name} must be from 0 to {MAX_COUNT:,}")
    return int(number)


def money(value: Any, name: str, *, cents: bool = False, signed: bool = False) -> int | None:
    """Nano-USD of an amount in USD (or cents), rounded to nine places; None where there is none."""
    if value is None or value == "":
        return None
    usd = _decimal(value, name)
    if cents:
        usd = usd / 100
    if not 0 <= (abs(usd) if signed else usd) <= MAX_USD:
        raise ValueError(f"{name} must be from 0 to {MAX_USD:,} USD")
    return int(usd.quantize(_NANO, rounding=ROUND_HALF_UP).scaleb(9))


def _decimal(value: Any, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError(f"{name} must be a number")
    if isinstance(value, int):
        return Decimal(value) if abs(value) < 10**30 else Decimal("1e30")
    try:
        number = Decimal(value.strip()[: _MAX_CHARS + 1]) if isinstance(value, str) else value
    except InvalidOperation:
        raise ValueError(f"{name} must be a number") from None
    if not number.is_finite() or not -_MAX_CHARS < number.adjusted() < _MAX_CHARS:
        if number == 0:
            return Decimal(0)
        raise ValueError(f"{name} is out of range")
    return number


def time_us(value: Any, name: str, zone: str) -> int:
    """Microseconds of an ISO time (in `zone` where it names none) or of seconds since 1970."""
    if isinstance(value, str) and not value.strip().lstrip("-").replace(".", "", 1).isdigit():
        try:
            at = datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
            at = at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))
            found = (at - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
        except (ValueError, OverflowError):
            raise ValueError(f"{name} is not a time") from None
    else:
        number = _decimal(value, name)
        scale = 1000 if number >= _FIRST_EPOCH_MS else 1_000_000
        found = int(number * scale)
    if not 0 <= found < MAX_US:
        raise ValueError(f"{name} lies outside of the years from 1970 to 9999")
    return found


_MICROSECOND: Final = datetime.resolution


def text(value: Any) -> str | None:
    """A name; None where it is empty or none."""
    return value.strip()[:512] or None if isinstance(value, str) else None


def named(**given: Any) -> dict[str, str]:
    """The attributes that are there."""
    return {key: found for key, value in given.items() if (found := text(value)) is not None}


def identified(*parts: Any) -> str:
    """What recognises a row when it comes again."""
    told = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:40]

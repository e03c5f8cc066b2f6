"""Parsing: JSON, prices, counts, names and dates of feeds, read exactly or called odd.

Not here: what a format's fields mean (one file for each source), and what is done with what was
read (`reading`). Numbers in JSON come as `int` or `Decimal`: no float passes through.
"""

import json
import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal, DecimalException
from typing import Final

from budget.domain.pricing import MAX_RATE_PICO, Rate
from budget.domain.usage import MAX_TOKENS
from budget.prices.book import MAX_NAME_CHARS
from budget.prices.sources.adapter import BadFeed

PICO_PER_USD: Final = 10**12
PER_TOKEN: Final = 1
PER_MTOK: Final = 10**6

_MAX_INT_CHARS: Final = 40
_SMALLEST_EXPONENT: Final = -30
_LARGEST_EXPONENT: Final = 12
_DOUBLE: Final = Context(prec=15)
"""A double is exact to 15 digits: what a program writes beyond them is noise."""
_NOT_A_NUMBER: Final = Decimal("NaN")
_USD_TEXT: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Odd(ValueError):
    """Something in a feed is not understood; the message says why, with nothing of the feed."""


class _Twice:
    """Stands for the value of a name that an object has twice, with different values."""


TWICE: Final = _Twice()


# --- JSON ----------------------------------------------------------------------------------------


def read_json(source: str, data: bytes) -> object:
    """The JSON in the bytes. BadFeed if they are none, or nest too deep for Python to read."""
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            parse_float=_decimal,
            parse_int=_whole,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise BadFeed(source, "it nests too deep.") from None
    except ValueError:
        raise BadFeed(source, "it is not JSON in UTF-8.") from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException:  # an exponent beyond all bounds
        return _NOT_A_NUMBER


def _whole(text: str) -> int | Decimal:
    # Python refuses to make an int of thousands of digits; a feed may have such a number somewhere.
    return int(text) if len(text) <= _MAX_INT_CHARS else Decimal(text)


def _no_number(_: str) -> Decimal:
    """NaN, Infinity and -Infinity, which Python's JSON allows."""
    return _NOT_A_NUMBER


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: dict[str, object] = {}
        for name, value in pairs:
            if name in seen and not _same(seen[name], value):
                found[name] = TWICE
            seen[name] = value
    return found


def _same(one: object, other: object) -> bool:
    try:
        return type(one) is type(other) and one == other
    except (RecursionError, DecimalException):
        return False


# --- Values --------------------------------------------------------------------------------------


def mapping(value: object) -> dict[str, object]:
    """An object of the feed, or Odd."""
    if isinstance(value, dict):
        return value
    raise Odd("given twice, differently" if value is TWICE else "not an object")


def items(value: object) -> list[object]:
    """A list of the feed, or Odd; none is an empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise Odd("not a list")


def name_of(value: object) -> str:
    """A provider's or model's name without blanks around it, or Odd."""
    if not isinstance(value, str):
        raise Odd("its name is not text")
    name = value.strip()
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise Odd(f"its name does not have 1 to {MAX_NAME_CHARS} characters")
    if not name.isprintable():
        raise Odd("its name has characters that cannot be shown")
    return name


def pico_of(value: object, units: int = PER_TOKEN) -> int:
    """A price in USD for so many units as pico-USD for one, a fraction of a pico rounded up.

    Odd for whatever is no plain price: text, truth values, negative, endless, beyond the bounds.
    """
    if value is TWICE:
        raise Odd("a price is given twice, differently")
    if type(value) is int:
        number = Decimal(value)
    elif isinstance(value, Decimal):
        number = value
    else:
        raise Odd("a price is not a number")
    if not number.is_finite():
        raise Odd("a price is not finite")
    if not number:
        return 0
    if number < 0:
        raise Odd("a price is negative")
    if number.adjusted() > _LARGEST_EXPONENT:
        raise Odd("a price is beyond all bounds")
    if number.adjusted() < _SMALLEST_EXPONENT:
        raise Odd("a price is too small to be one")
    numerator, denominator = _DOUBLE.plus(number).as_integer_ratio()
    pico = -(-numerator * PICO_PER_USD // (denominator * units))
    if pico > MAX_RATE_PICO:
        raise Odd("a price is beyond all bounds")
    return pico


def usd_of(value: object) -> object:
    """A price that a feed writes as text, such as "0.0000025", as a number for `pico_of`."""
    if isinstance(value, str):
        if not _USD_TEXT.fullmatch(value):
            raise Odd("a price is not a number")
        return Decimal(value)
    return value


def tiered(base_pico: int, steps: dict[int, int]) -> Rate:
    """A rate of a base price and further ones, each above so many input tokens."""
    tiers = [(0, base_pico)]
    for above_tokens in sorted(steps):
        if not 0 < above_tokens < MAX_TOKENS:
            raise Odd("a tier begins at no count of tokens")
        if steps[above_tokens] != tiers[-1][1]:
            tiers.append((above_tokens + 1, steps[above_tokens]))
    return tuple(tiers) if tiers[1:] else base_pico


def is_zero(rate: Rate | None) -> bool:
    """Whether there is no price, or none above 0 in any tier."""
    return not rate or (not isinstance(rate, int) and not any(pico for _, pico in rate))


def stated(rate: Rate | None) -> Rate | None:
    """The rate of a part, such as what is read from the cache, unless it is 0.

    Feeds write 0 for what nobody looked up. Without a rate the part costs what its whole does.
    """
    return None if is_zero(rate) else rate


def count_of(value: object) -> int | None:
    """A count of tokens above 0, or None where there is no sound one."""
    if type(value) is int:
        return value if 0 < value <= MAX_TOKENS else None
    if isinstance(value, Decimal) and value.is_finite() and 0 < value <= MAX_TOKENS:
        return int(value) if value == int(value) else None
    return None


def flag_of(value: object) -> bool | None:
    """A truth value, or None where there is none."""
    return value if isinstance(value, bool) else None


def day_us(value: object) -> int:
    """A day such as 2026-11-25 as its first microsecond in UTC, or Odd."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise Odd("a date is no day") from None
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return (midnight - _EPOCH).days * 86_400_000_000
    raise Odd("a date is no day")


def retired_us(value: object) -> int | None:
    """The day of a model's retirement, or None where there is no sound one."""
    try:
        return day_us(value)
    except Odd:
        return None

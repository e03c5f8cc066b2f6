"""Amounts: nano-USD, counts and basis points, read from input exactly and written back exactly.

Not here: prices and what a call costs (`pricing`). No float passes through this file; numbers in
JSON arrive as `int` or `Decimal`, and every reader below raises InvalidInput naming its field.
"""

import re
from decimal import Decimal
from typing import Final

from budget.domain.errors import InvalidInput

NANOS_PER_USD: Final = 10**9
PICOS_PER_NANO: Final = 1000
MAX_HOLD_NANOS: Final = 10**6 * NANOS_PER_USD
MAX_LIMIT_NANOS: Final = 10**9 * NANOS_PER_USD
MAX_TOKENS: Final = 10**12

_USD_PLACES: Final = 9
_FRACTION_PLACES: Final = 4
_PERCENT_PLACES: Final = 2
_BPS_IN_ONE: Final = 10**_FRACTION_PLACES
_NANOS_PER_CENT: Final = NANOS_PER_USD // 100

_WHOLE_DIGITS: Final = 16
_PLAIN: Final = re.compile(rf"([0-9]{{1,{_WHOLE_DIGITS}}})(?:\.([0-9]+))?")


def parse_usd(value: object, field: str, *, maximum_nanos: int = MAX_HOLD_NANOS) -> int:
    """Read an amount in USD, a plain decimal string or a JSON number, as nano-USD."""
    nanos = _scaled(value, field, _USD_PLACES)
    if nanos > maximum_nanos:
        raise InvalidInput(field, f"must be at most {format_usd(maximum_nanos)} USD.")
    return nanos


def format_usd(nanos: int) -> str:
    """Write nano-USD as the shortest exact decimal in USD that shows the cents: 0.00, -1.50."""
    usd, rest = divmod(abs(nanos), NANOS_PER_USD)
    if rest % _NANOS_PER_CENT:
        text = f"{usd}.{rest:09d}".rstrip("0")
    else:
        text = f"{usd}.{rest // _NANOS_PER_CENT:02d}"
    return text if nanos >= 0 else f"-{text}"


def format_pico_usd(pico: int) -> str:
    """Write pico-USD as the shortest exact decimal in USD that shows the cents."""
    nanos, rest = divmod(abs(pico), PICOS_PER_NANO)
    text = format_usd(nanos)
    if rest:
        whole, _, places = text.partition(".")
        text = f"{whole}.{places:0<9}{rest:03d}".rstrip("0")
    return text if pico >= 0 else f"-{text}"


def parse_count(value: object, field: str, *, maximum: int = MAX_TOKENS) -> int:
    """Read a count of tokens or requests: a whole JSON number, never a string."""
    if type(value) is int and 0 <= value <= maximum:
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidInput(field, "must be a whole number such as 1200.")
    number = _unsigned(value, field)
    if number > maximum:  # before int(): 1e999999999 has a billion digits
        raise InvalidInput(field, f"must be at most {maximum}.")
    count = int(number)
    if count != number:
        raise InvalidInput(field, "must be a whole number such as 1200.")
    return count


def parse_percent_bps(value: object, field: str) -> int:
    """Read a percentage such as "12.5%" as basis points (1250), from 0% to 100%."""
    if not isinstance(value, str) or not value.endswith("%"):
        raise InvalidInput(field, 'must be a percentage as a string, such as "12.5%".')
    bps = _scaled(value[:-1], field, _PERCENT_PLACES)
    if bps > _BPS_IN_ONE:
        raise InvalidInput(field, "must be at most 100%.")
    return bps


def parse_fraction_bps(value: object, field: str) -> int:
    """Read a fraction from 0 to 1, such as 0.8, as basis points (8000)."""
    bps = _scaled(value, field, _FRACTION_PLACES)
    if bps > _BPS_IN_ONE:
        raise InvalidInput(field, "must be at most 1.")
    return bps


def format_fraction(bps: int) -> str:
    """Write basis points (0 to 10,000) as the shortest exact fraction: 0, 0.8, 0.0125, 1."""
    whole, rest = divmod(bps, _BPS_IN_ONE)
    return f"{whole}.{rest:04d}".rstrip("0") if rest else str(whole)


def ceil_div(a: int, b: int) -> int:
    """Divide two integers, rounding up: what a cost does, so that no spend is lost."""
    return -(-a // b)


def _scaled(value: object, field: str, places: int) -> int:
    """Read a plain decimal as an integer of its `places`-th decimal: ("2.5", 4) is 25,000."""
    matched = _PLAIN.fullmatch(_plain_text(value, field, places))
    if matched is None:
        raise InvalidInput(
            field,
            f'must be a plain decimal such as "12.50": at most {_WHOLE_DIGITS} digits before '
            "the point, no exponent, no blanks.",
        )
    whole, decimals = matched[1], matched[2] or ""
    if decimals[places:].strip("0"):
        raise InvalidInput(field, f"must have at most {places} decimals.")
    return int(whole + decimals[:places].ljust(places, "0"))


def _plain_text(value: object, field: str, places: int) -> str:
    """Spell a number out without an exponent; a string passes, to be judged by its pattern."""
    if isinstance(value, str):
        if value.startswith("-"):
            raise InvalidInput(field, "must not be negative.")
        return value
    if isinstance(value, float):
        raise InvalidInput(field, 'send it as a string such as "0.10": a float is not exact.')
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidInput(field, 'must be a decimal as a string, such as "0.10", or a number.')
    number = _unsigned(value, field)
    # Bounds first: 1e999999999 and 1e-999999999 would each take a gigabyte to spell out.
    if number >= 10**_WHOLE_DIGITS:
        raise InvalidInput(field, "is too large.")
    if not number:
        return "0"
    if isinstance(number, Decimal) and number.adjusted() < -places:
        raise InvalidInput(field, f"must have at most {places} decimals.")
    return f"{number:f}" if isinstance(number, Decimal) else str(number)


def _unsigned(value: int | Decimal, field: str) -> int | Decimal:
    """Pass on what is finite and has no minus sign (a Decimal keeps one on -0)."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InvalidInput(field, "must be a finite number.")
        negative = value.is_signed()
    else:
        negative = value < 0
    if negative:
        raise InvalidInput(field, "must not be negative.")
    return value

"""Stated prices: what an operator writes of the units of a model, checked and made into rates.

The one way for the price file (`own`), where everything is a text, and for prices that are set by
the API. Not here: what else they say (names, times, contexts).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from budget.domain.errors import InvalidInput
from budget.domain.pricing import MAX_RATE_PICO, MAX_TIERS, Rate, Rates, validated_rates
from budget.domain.usage import MAX_TOKENS, OTHER_UNITS, UNITS

PICO_PLACES: Final = 12
MTOK_PLACES: Final = 6
KINDS: Final = (
    "input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning",
)  # fmt: skip
SECONDS: Final = ("gpu_second", "second")
"""Spellings of `milliseconds`, priced by the thousand."""

_MOST_DIGITS: Final = 40
_PLAIN: Final = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,40}))?")
_HEADLESS: Final = re.compile(r"\.[0-9]*")


def stated_rates(given: Mapping[str, object], prefix: str = "") -> Rates:
    """What the units cost: USD per million tokens by kind, per `request`, and by `units`.

    Free is an explicit 0, but hired hardware has no tokens. InvalidInput names the field, after the
    prefix.
    """
    kinds: dict[str, Any] = {
        kind: _rate(given[kind], prefix + kind, MTOK_PLACES)
        for kind in KINDS
        if given.get(kind) is not None
    }
    request = given.get("request")
    request_pico = 0 if request is None else pico(request, f"{prefix}request", PICO_PLACES)
    units = _units(given.get("units"), prefix)
    by_the_token = bool(kinds) or (request is None and not units)
    by_the_token |= any(unit not in OTHER_UNITS for unit, _ in units)
    for kind in ("input", "output"):
        if kind not in kinds and by_the_token:
            raise InvalidInput(
                prefix + kind, 'is required, in USD per million; write "0" where it is free.'
            )
    rates = Rates(kinds.pop("input", 0), kinds.pop("output", 0), request=request_pico, units=units)
    return validated_rates(rates._replace(**kinds), prefix)


def _units(given: object, prefix: str) -> tuple[tuple[str, Rate], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise InvalidInput(f"{prefix}units", "must be an object of unit: price.")
    rates: dict[str, Rate] = {}
    for name, value in given.items():
        field = f"{prefix}units.{str(name)[:80]}"
        if name not in UNITS and name not in SECONDS:
            raise InvalidInput(field, "is not a unit.", (*UNITS, *SECONDS))
        if value is None:
            continue
        unit = "milliseconds" if name in SECONDS else name
        if unit in rates:
            raise InvalidInput(field, "prices milliseconds once more; leave one out.")
        rates[unit] = _rate(value, field, PICO_PLACES - 3 if name in SECONDS else PICO_PLACES)
    return tuple(sorted(rates.items()))


def _rate(value: object, field: str, places: int) -> Rate:
    """A price or tiers of it."""
    if not isinstance(value, list | tuple):
        return pico(value, field, places)
    if not 0 < len(value) <= MAX_TIERS:
        raise InvalidInput(field, f"must have 1 to {MAX_TIERS} tiers.")
    tiers: list[tuple[int, int]] = []
    for tier in value:
        if not isinstance(tier, list | tuple) or len(tier) != 2:
            raise InvalidInput(field, 'must be tiers such as [[0, "1.25"], [200001, "2.5"]].')
        start, price = tier
        if type(start) is not int or not 0 <= start <= MAX_TOKENS:
            raise InvalidInput(field, "each tier must begin with a whole number of input tokens.")
        tiers.append((start, pico(price, field, places)))
    starts = [start for start, _ in tiers]
    if starts[0] != 0 or starts != sorted(set(starts)):
        raise InvalidInput(field, "tiers must ascend, the first from 0.")
    return tuple(tiers)


def pico(value: object, field: str, places: int) -> int:
    """A price in USD as a whole number of pico-USD: as many decimals as places, exactly."""
    text = _text(value)
    if _HEADLESS.fullmatch(text):  # a shell makes .00 of $2.00
        raise InvalidInput(field, 'must begin with a digit, such as "0.50"; write "0" for free.')
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise InvalidInput(field, 'must be a price in USD of 0 or more, such as "2.50".')
    decimals = (found[2] or "").rstrip("0")
    if len(decimals) > places:
        raise InvalidInput(field, f"must have at most {places} decimals.")
    amount = int(found[1] + decimals.ljust(places, "0"))
    if amount > MAX_RATE_PICO:
        raise InvalidInput(field, f"must be at most {MAX_RATE_PICO // 10**places} USD.")
    return amount


def _text(value: object) -> str:
    """A number as it is written plainly; empty for what is none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return ""
    # More digits than any price has, be they of 1e99 or of 1e-99, are not written out.
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() >= _MOST_DIGITS:
        return ""
    if number.adjusted() < -_MOST_DIGITS:  # nothing, or what has too many decimals
        return "0." + "0" * (_MOST_DIGITS - 1) + "1" if number else "0"
    return format(number, "f")

"""Parts that many answers share: amounts, instants, windows, partitions, holds, pages."""

from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any, Final, TypeVar

import msgspec

from budget.domain.allocations import Held
from budget.domain.answers_pages import Page
from budget.domain.money import parse_fraction_bps
from budget.domain.windows import MAX_US, Window, parse_rfc3339

T = TypeVar("T")

_NANO_PLACES: Final = 9
_PICO_PLACES: Final = 12
_metadata: Final = msgspec.json.Encoder(order="deterministic")


def _scaled(text: str, places: int) -> int:
    whole, _, decimals = text.partition(".")
    if len(decimals) > places:
        raise ValueError("more decimals than there are")
    return int(whole + decimals.ljust(places, "0"))


def nanos(text: str) -> int:
    """Money as nano-USD."""
    return _scaled(text, _NANO_PLACES)


def nanos_or_none(text: str | None) -> int | None:
    """Money as nano-USD; None where it is not known."""
    return None if text is None else _scaled(text, _NANO_PLACES)


def pico(text: str) -> int:
    """A rate, or a part of a cost, as pico-USD."""
    return _scaled(text, _PICO_PLACES)


def amount(value: str | int) -> int:
    """An amount: nano-USD where it is money, which is text, else a count."""
    return _scaled(value, _NANO_PLACES) if isinstance(value, str) else value


def amount_or_none(value: str | int | None) -> int | None:
    """An amount; None where there is none."""
    return None if value is None else amount(value)


def bps(text: str) -> int:
    """A fraction in basis points."""
    return parse_fraction_bps(text, "fraction")


def us(text: str) -> int:
    """An instant."""
    return parse_rfc3339(text, "instant")


def us_or_none(text: str | None) -> int | None:
    """An instant; None where there is none."""
    return None if text is None else us(text)


def us_or_never(text: str | None) -> int:
    """An instant, or the end of time."""
    return MAX_US if text is None else us(text)


def window(shape: Mapping[str, Any]) -> Window:
    """A window."""
    return Window(us(shape["start"]), us_or_never(shape["end"]))


def partition(shape: Mapping[str, str | None]) -> str:
    """A partition by its canonical name."""
    parts = (
        f'"{key}":{"null" if value is None else encode_basestring(value)}'
        for key, value in shape.items()
    )
    return "{" + ",".join(parts) + "}"


def metadata(shape: Any) -> str:
    """Metadata as its text."""
    return "{}" if shape == {} else _metadata.encode(shape).decode()


def held(shape: Mapping[str, Any]) -> Held:
    """What an allocation holds as a whole."""
    return Held(nanos_or_none(shape["usd"]), shape["tokens"], shape["requests"])


def page(read: Callable[[Any], T]) -> Callable[[Any], Page[T]]:
    """Reads a page of a list of things."""
    return lambda shape: Page([read(one) for one in shape["items"]], shape["next_cursor"])


def each(read: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    """Reads a list that comes as one page."""
    return lambda shape: [read(one) for one in shape["items"]]

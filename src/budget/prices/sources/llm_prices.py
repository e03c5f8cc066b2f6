"""llm-prices, by Simon Willison: prices of models over time, in USD per million tokens.

Three shapes: `historical-v1.json` and `current-v1.json`, which list `prices`, and a vendor's own
file, which lists `models` with their `price_history`. A model with a dearer price for long input
is two models there, "Some Model ≤200k" and `<id>-200k`, "Some Model >200k": here it is one, with
a tier. Not here: prices of images, whose tokens the source does not tell from those of text.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from budget.domain.pricing import Rates
from budget.prices.listings import Feed
from budget.prices.schedules import Piece
from budget.prices.sources.adapter import BadFeed, Format
from budget.prices.sources.parsing import (
    PER_MTOK,
    Odd,
    day_us,
    mapping,
    name_of,
    pico_of,
    read_json,
    tiered,
)
from budget.prices.sources.reading import Reading
from budget.prices.sources.sellers import LLM_PRICES, seller

NAME: Final = "llm-prices"
URL: Final = "https://www.llm-prices.com/historical-v1.json"

_UP_TO: Final = re.compile(r"≤\s*([0-9]{1,5})k\s*$")
_ABOVE: Final = re.compile(r">\s*([0-9]{1,5})k\s*$")
_IMAGES: Final = "image gen"

_Key = tuple[str, str]


class _Price(NamedTuple):
    """One price of a model, from a day on and perhaps until another."""

    start_us: int | None
    end_us: int | None
    input: int
    output: int
    cached: int | None


class _Told(NamedTuple):
    """What a feed says of one model."""

    name: str
    prices: list[_Price]


def read(data: bytes, version: str) -> Feed:
    """The feed in any of the three shapes, under the day that it came."""
    found = read_json(NAME, data)
    if not isinstance(found, dict):
        raise BadFeed(NAME, "it is not an object with `prices` or `models`.")
    records = list(_records(found))
    reading = Reading(NAME, version, data)
    reading.check_size(len(records))
    models = _by_model(reading, records)
    for (vendor, model), told in models.items():
        try:
            if _ABOVE.search(told.name):
                _check_tier(models, vendor, model)
            else:
                pieces = _pieces(told, _tier_of(models, vendor, model, told))
                reading.price_over_time(vendor, model, pieces)
        except Odd as odd:
            reading.skip(f"{vendor}/{model}", odd)
    return reading.feed()


ADAPTER: Final = Format(NAME, URL, read)


def _records(found: dict[str, Any]) -> Iterator[object]:
    """The prices of a feed one by one, each with its model's `id`, `name` and `vendor`."""
    if isinstance(found.get("prices"), list):
        yield from found["prices"]
    elif isinstance(found.get("models"), list):
        for model in found["models"]:
            history = model.get("price_history") if isinstance(model, dict) else None
            if not isinstance(history, list):
                yield model  # odd, and said so
                continue
            for price in history:
                if isinstance(price, dict):
                    named = {"id": model.get("id"), "name": model.get("name")}
                    yield {**price, **named, "vendor": found.get("vendor")}
                else:
                    yield price
    else:
        raise BadFeed(NAME, "it has no list of `prices` or `models`.")


def _by_model(reading: Reading, records: list[object]) -> dict[_Key, _Told]:
    """The prices by vendor and model; a model with an odd price is left out as a whole."""
    models: dict[_Key, _Told] = {}
    odd_models: set[_Key] = set()
    for place, value in enumerate(records):
        key: _Key | None = None
        shown = f"price {place + 1}"
        try:
            record = mapping(value)
            model, vendor = name_of(record.get("id")), seller(LLM_PRICES, record.get("vendor"))
            key, shown = (vendor, model), f"{vendor}/{model}"
            name = record.get("name")
            told = models.setdefault(key, _Told(name if isinstance(name, str) else "", []))
            told.prices.append(_price(record))
        except Odd as odd:
            reading.skip(shown, odd)
            if key is not None:
                odd_models.add(key)
    return {key: told for key, told in models.items() if key not in odd_models}


def _price(record: dict[str, Any]) -> _Price:
    start, end, cached = (record.get(name) for name in ("from_date", "to_date", "input_cached"))
    price = _Price(
        start_us=None if start is None else day_us(start),
        end_us=None if end is None else day_us(end),
        input=pico_of(record.get("input"), PER_MTOK),
        output=pico_of(record.get("output"), PER_MTOK),
        cached=None if cached is None else pico_of(cached, PER_MTOK),
    )
    if price.input == 0 and price.output == 0:
        raise Odd("its prices are all zero, which may mean that nobody knows them")
    if price.end_us is not None and price.start_us is not None and price.end_us <= price.start_us:
        raise Odd("a price ends before it begins")
    return price


def _check_tier(models: dict[_Key, _Told], vendor: str, model: str) -> None:
    """Odd unless another model has these prices as its tier."""
    for (seller_id, other), told in models.items():
        if seller_id == vendor and model.startswith(f"{other}-") and _UP_TO.search(told.name):
            return
    raise Odd("the prices of long input of a model that is not listed")


def _tier_of(
    models: dict[_Key, _Told], vendor: str, model: str, told: _Told
) -> tuple[int, _Price] | None:
    """From how many thousand tokens on a model is dearer, and that price."""
    if _IMAGES in told.name:
        raise Odd("one price for the tokens of text and of images")
    bound = _UP_TO.search(told.name)
    if bound is None:
        return None
    above = models.get((vendor, f"{model}-{bound[1]}k"))
    if above is None or not _ABOVE.search(above.name):
        raise Odd("a price up to some length, and none beyond it")
    if len(above.prices) != 1 or len(told.prices) != 1:
        raise Odd("prices that change both with time and with length")
    return int(bound[1]) * 1_000, above.prices[0]


def _pieces(told: _Told, tier: tuple[int, _Price] | None) -> tuple[Piece, ...]:
    """The prices in the order of time: each holds until the next begins, the last to its end."""
    prices = sorted(set(told.prices), key=_beginning)
    starts = [price.start_us for price in prices]
    if len(set(starts)) != len(starts):
        raise Odd("listed more than once, at different prices")
    end_us = prices[-1].end_us
    # Only where the last one ends must the others end too, or they would hold again after it.
    ends = [*starts[1:], end_us] if end_us is not None else [None] * len(starts)
    return tuple(
        Piece(_rates(price, tier), start_us=price.start_us, end_us=end_us)
        for price, end_us in zip(prices, ends, strict=True)
    )


def _beginning(price: _Price) -> tuple[bool, int]:
    return price.start_us is not None, price.start_us or 0


def _rates(price: _Price, tier: tuple[int, _Price] | None) -> Rates:
    if tier is None:
        return Rates(price.input, price.output, price.cached or None)
    above_tokens, dearer = tier
    cached = None
    if price.cached and dearer.cached:
        cached = tiered(price.cached, {above_tokens: dearer.cached})
    return Rates(
        tiered(price.input, {above_tokens: dearer.input}),
        tiered(price.output, {above_tokens: dearer.output}),
        cached,
    )

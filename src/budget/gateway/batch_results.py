"""Batch results: what the lines that a batch left tell of its usage, as the books take it.

One record for each model; one for each line where a model's price depends on how long a call is.
Not here: where the lines come from, and what they are booked on (`later`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from budget.domain.pricing import Rates
from budget.domain.responses import Stream, Told
from budget.domain.usage import Usage, units_of
from budget.prices.book import PriceBook
from budget.sdk.responses import usage_ask

BATCH: Final = (("processing", "batch"),)
_decode: Final = msgspec.json.Decoder().decode


def asks_of_results(
    raw: bytes, provider: str, prices: PriceBook, now_us: int
) -> list[Mapping[str, Any]]:
    """What to book for such lines; a line that tells nothing used nothing."""
    by_model: dict[str, list[Usage]] = {}
    for body in bodies_of(raw):
        stream = Stream(provider)
        stream.take(body)
        told = stream.told()
        if told.usage is not None:
            by_model.setdefault(told.model or "", []).append(told.usage)
    asks: list[Mapping[str, Any]] = []
    for model, usages in by_model.items():
        rates = prices.lookup(provider, model, now_us, BATCH) if model else None
        each = usages if rates is not None and _is_tiered(rates) else [_sum(usages)]
        asks += [_ask(usage, provider, model) for usage in each]
    return asks


def bodies_of(raw: bytes) -> Iterable[Mapping[str, Any]]:
    """The answers in the lines, as each provider wraps them."""
    for line in raw.splitlines():
        try:
            value: Any = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        for path in (("response", "body"), ("result", "message")):
            held = value
            for name in path:
                held = held.get(name) if isinstance(held, dict) else None
            if isinstance(held, dict):
                yield held


def _ask(usage: Usage, provider: str, model: str) -> Mapping[str, Any]:
    ask = usage_ask(usage, Told(model=model or None), provider, None)
    return {**ask, "price_context": dict(BATCH)} if model else ask


def _sum(usages: list[Usage]) -> Usage:
    counts: dict[str, int] = {}
    for usage in usages:
        for name, count in usage.units:
            counts[name] = counts.get(name, 0) + count
    names = Usage._fields[:-1]
    sums: dict[str, Any] = {name: sum(getattr(one, name) for one in usages) for name in names}
    return Usage(**sums, units=units_of(counts))


def _is_tiered(rates: Rates) -> bool:
    """Whether a price depends on how many input tokens a call has."""
    plain = (
        rates.input, rates.output, rates.cache_read, rates.cache_write, rates.cache_write_1h,
        rates.reasoning,
    )  # fmt: skip
    own = tuple(rate for _, rate in rates.units)
    return any(isinstance(rate, tuple) for rate in (*plain, *own))

"""Cheaper: what else of the same provider would have fitted, when a call was refused for money."""

from collections.abc import Callable, Iterable
from typing import Final

from budget.domain.pricing import (
    Rates,
    hold_nanos,
    output_rate_dearest,
    token_hold_nanos,
    unpriced_units,
)
from budget.domain.usage import Units
from budget.prices.book import PriceBook

MOST_NAMED: Final = 5


def cheaper_models(
    book: PriceBook,
    rates: Rates,
    input_tokens: int,
    output_tokens: int,
    room_nanos: int,
    at_us: int,
    *,
    requests: int = 1,
    units: Units = (),
) -> tuple[str, ...]:
    """Models of the same provider whose hold for such an estimate fits in the room, dearest first.

    The dearest is the nearest to what was asked for. Models that cost nothing are left out: their
    use is an own decision.
    """

    def nanos_of(offer: Rates) -> int:
        return hold_nanos(offer, input_tokens, output_tokens, requests, units)

    offers = book.offers(rates.provider, at_us)
    offers = tuple(offer for offer in offers if not unpriced_units(offer, units))
    if output_tokens:
        offers = _writing(offers, input_tokens)
    return _fitting(offers, nanos_of, nanos_of(rates), room_nanos)


def cheaper_for_tokens(
    book: PriceBook, rates: Rates, tokens: int, room_nanos: int, at_us: int, *, requests: int = 1
) -> tuple[str, ...]:
    """The same for a hold of tokens of unknown kind, which may be output if the model has any."""

    def nanos_of(offer: Rates) -> int:
        return token_hold_nanos(offer, tokens, requests)

    offers = book.offers(rates.provider, at_us)
    if output_rate_dearest(rates, tokens):
        offers = _writing(offers, tokens)
    return _fitting(offers, nanos_of, nanos_of(rates), room_nanos)


def _writing(offers: Iterable[Rates], input_tokens: int) -> tuple[Rates, ...]:
    """Those that write text; an embedding model does not."""
    return tuple(offer for offer in offers if output_rate_dearest(offer, input_tokens))


def _fitting(
    offers: Iterable[Rates], nanos_of: Callable[[Rates], int], asked_nanos: int, room_nanos: int
) -> tuple[str, ...]:
    fitting = []
    for offer in offers:
        nanos = nanos_of(offer)
        if 0 < nanos <= room_nanos and nanos < asked_nanos:
            fitting.append((-nanos, offer.model))
    return tuple(model for _, model in sorted(fitting)[:MOST_NAMED])

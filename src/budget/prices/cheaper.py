"""Cheaper: what else of the same provider would have fitted, when a call was refused for money."""

from typing import Final

from budget.domain.pricing import Rates, hold_nanos, output_rate_dearest
from budget.prices.book import PriceBook

MOST_NAMED: Final = 5


def cheaper_models(
    book: PriceBook,
    rates: Rates,
    input_tokens: int,
    output_tokens: int,
    room_nanos: int,
    at_us: int,
) -> tuple[str, ...]:
    """Models of the same provider whose hold for such a call fits in the room, dearest first.

    The dearest is the nearest to what was asked for. Models that cost nothing are left out: their
    use is an own decision.
    """
    asked_nanos = hold_nanos(rates, input_tokens, output_tokens)
    fitting = []
    for offer in book.offers(rates.provider, at_us):
        if output_tokens and not output_rate_dearest(offer, input_tokens):
            continue  # it writes no text, as an embedding model
        nanos = hold_nanos(offer, input_tokens, output_tokens)
        if 0 < nanos <= room_nanos and nanos < asked_nanos:
            fitting.append((-nanos, offer.model))
    return tuple(model for _, model in sorted(fitting)[:MOST_NAMED])

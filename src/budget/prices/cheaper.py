"""Cheaper: what else of the same provider would have fitted, when a call was refused for money.

`fitting` is the same question without money: which models will do. A model whose provider stopped
answering, or into which the call would not go, is never named; one that nobody says enough of comes
after those that are known to do.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from budget.domain.pricing import (
    Rates,
    hold_nanos,
    output_rate_dearest,
    token_hold_nanos,
    unpriced_units,
)
from budget.domain.usage import Units
from budget.prices.book import PriceBook
from budget.prices.capabilities import Needs, fits
from budget.prices.listings import Capabilities
from budget.prices.naming import is_tuned

MOST_NAMED: Final = 5

_ANY_REGION: Final = "regional."
"""What genai-prices puts before a Bedrock model's id, for its price in any one region."""

_VISION: Final = ("cache_read_image_tokens", "input_image_tokens")
_AUDIO: Final = ("cache_read_audio_tokens", "input_audio_tokens", "output_audio_tokens")


class Offer(NamedTuple):
    """A model that will do, as far as anybody says."""

    rates: Rates
    capabilities: Capabilities
    is_known: bool
    """Whether all that the call needs is known of it."""


def fitting(book: PriceBook, provider: str, needs: Needs, at_us: int) -> tuple[Offer, ...]:
    """The priced models of a provider that will do at an instant, by name.

    Those that the needs are known to exceed, those that are retired and fine-tuned ones, which are
    somebody's, are left out.
    """
    offers = []
    for rates, capabilities in book.offered(provider, at_us):
        fitted = fits(capabilities, needs, at_us)
        if fitted is not False and not is_tuned(rates.model):
            offers.append(Offer(rates, capabilities, fitted is True))
    return tuple(offers)


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
    needs: Needs | None = None,
) -> tuple[str, ...]:
    """Models of the same provider whose hold for such an estimate fits in the room, dearest first.

    The dearest is the nearest to what was asked for. `needs` are further ones of the call. Models
    that cost nothing are left out: their use is an own decision.
    """

    def nanos_of(offer: Rates) -> int:
        return hold_nanos(offer, input_tokens, output_tokens, requests, units)

    needs = _needs(book, rates, writes=bool(output_tokens), units=units, more=needs)
    needs = needs._replace(input_tokens=input_tokens, output_tokens=output_tokens)
    offers = fitting(book, rates.provider, needs, at_us)
    offers = tuple(offer for offer in offers if not unpriced_units(offer.rates, units))
    if output_tokens:
        offers = _writing(offers, input_tokens)
    return _affordable(offers, nanos_of, nanos_of(rates), room_nanos)


def cheaper_for_tokens(
    book: PriceBook, rates: Rates, tokens: int, room_nanos: int, at_us: int, *, requests: int = 1
) -> tuple[str, ...]:
    """The same for a hold of tokens of unknown kind, which may be output if the model has any."""

    def nanos_of(offer: Rates) -> int:
        return token_hold_nanos(offer, tokens, requests)

    writes = bool(output_rate_dearest(rates, tokens))
    needs = _needs(book, rates, writes=writes)._replace(input_tokens=tokens)
    offers = fitting(book, rates.provider, needs, at_us)
    if writes:
        offers = _writing(offers, tokens)
    return _affordable(offers, nanos_of, nanos_of(rates), room_nanos)


def _needs(
    book: PriceBook, rates: Rates, *, writes: bool, units: Units = (), more: Needs | None = None
) -> Needs:
    """What stands in for a model must do: be of its kind, and take what the call brings."""
    mode = book.capabilities(rates.provider, rates.model).mode
    if mode is None and writes:
        mode = "chat"
    used = {unit for unit, count in units if count}
    more = more or Needs()
    return more._replace(
        mode=mode,
        vision=more.vision or not used.isdisjoint(_VISION),
        audio=more.audio or not used.isdisjoint(_AUDIO),
    )


def _writing(offers: Iterable[Offer], input_tokens: int) -> tuple[Offer, ...]:
    """Those that write text; an embedding model does not."""
    return tuple(offer for offer in offers if output_rate_dearest(offer.rates, input_tokens))


def _affordable(
    offers: Iterable[Offer], nanos_of: Callable[[Rates], int], asked_nanos: int, room_nanos: int
) -> tuple[str, ...]:
    found = []
    for offer in offers:
        nanos = nanos_of(offer.rates)
        if 0 < nanos <= room_nanos and nanos < asked_nanos:
            model = offer.rates.model.removeprefix(_ANY_REGION)  # of a list, in no name to call
            found.append((not offer.is_known, -nanos, model))
    return tuple(model for *_, model in sorted(found)[:MOST_NAMED])

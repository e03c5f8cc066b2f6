"""The prices that a replay reckons with: those of the service, as it tells them at the start.

Not here: what calls cost (`domain.pricing`).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from budget.cli.exits import Answered
from budget.domain.pricing import Rate, Rates
from budget.domain.shapes_prices import PriceShape
from budget.domain.shapes_prices import Rate as RateShape
from budget.prices.book import PriceBook

if TYPE_CHECKING:
    from pathlib import Path

    from budget.cli.remote import Service

NOT_FOUND: Final = 404
PICO_PER_USD: Final = 10**12
MTOK: Final = 10**6


def prices_of(
    service: "Service", models: Iterable[str], provider: str | None, own: "Path | None"
) -> PriceBook:
    """A book of these models at the prices of the service; those it has none of are not in it.

    A service that cannot tell its prices is taken to have those of this machine.
    """
    found: dict[tuple[str | None, str], Rates] = {}
    for model in sorted(set(models)):
        asked = {"model": model} if provider is None else {"model": model, "provider": provider}
        try:
            told: PriceShape = service.call("GET", "/prices/current", None, asked)
        except Answered as error:
            if error.status == NOT_FOUND and error.code == "not_found":
                continue
            from budget.prices.own import book_with

            return book_with(own)
        found[provider, model] = rates_of(told)
    return PriceBook(None, found)


def rates_of(told: PriceShape) -> Rates:
    """The rates of input, output and requests in a price; a trace counts no other kinds."""
    prices = told["prices"]
    return Rates(
        _rate(prices["input"]),
        _rate(prices["output"]),
        request=int(Decimal(prices["request"]) * PICO_PER_USD),
        provider=told["provider"],
        model=told["model"],
        basis=told["basis"],
    )


def _rate(rate: RateShape) -> Rate:
    if isinstance(rate, str):
        return _pico(rate)
    return tuple((int(start), _pico(price)) for start, price in rate)


def _pico(usd_per_mtok: str | int) -> int:
    return int(Decimal(usd_per_mtok) * PICO_PER_USD / MTOK)

"""Costing: what usage of a model costs, for who asks before or beside the books. Nothing is booked.

Not here: what a record costs (`acts.booking`), how lines come about (`domain.costs`).
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.answers import Calculation
from budget.domain.asks import CostAsk
from budget.domain.costs import cost
from budget.domain.errors import InvalidInput, NotFound
from budget.engine.fields import (
    count,
    instant_us,
    only_fields,
    price_context,
    usage_counts,
    who,
)
from budget.prices.book import PriceBook
from budget.prices.resolutions import why_unpriced

_FIELDS: Final = frozenset(CostAsk.__annotations__)


class NoPrice(NotFound):
    """The price of a model is not known, which is not free; `why` says more of its name."""

    def __init__(self, provider: str | None, model: str, why: str = "") -> None:
        seller = "" if provider is None else f" from provider {provider!r}"
        text = f"The price of model {model!r}{seller} is not known. {why}".rstrip()
        super().__init__("price", model, text)


def calculate(ask: Mapping[str, Any], prices: PriceBook, now_us: int) -> Calculation:
    """What usage costs at the prices of its time. NoPrice where they are not known."""
    only_fields(ask, _FIELDS)
    _, provider, model = who(ask)
    if model is None:
        raise InvalidInput("model", "is required.")
    usage = usage_counts(ask)
    requests = count(ask, "requests")
    usage = usage._replace(requests=1 if requests is None else requests)
    at_us = instant_us(ask, "at")
    at_us = now_us if at_us is None else at_us
    _, provider, _ = who(ask, prices, at_us)  # as booking finds whose model it is
    found = prices.resolve(provider, model, at_us, price_context(ask))
    rates = found.rates
    if rates is None:
        raise NoPrice(provider, model, why_unpriced(found))
    costs = cost(rates, usage)
    return Calculation(
        rates.provider, rates.model, rates.basis, rates.context, at_us, costs, found.how
    )

"""Recommending: which models would do for a call, and what it would cost with each.

From prices and from what is known of models alone: how well a model does its task nobody here
knows. Not here: which models will do (`prices.cheaper`), what a refusal recommends (`advice`).
"""

from collections.abc import Mapping
from typing import Any, Final, Unpack

from budget.domain.allocations import NORMAL_PRIORITY, default_size_tokens
from budget.domain.answers_recommendations import Recommendation, Recommendations
from budget.domain.asks_prices import RecommendAsk
from budget.domain.attributes import parse_value
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.money import parse_usd
from budget.domain.pricing import Rates, cost_nanos, rate_at
from budget.domain.usage import Usage, validated
from budget.engine.costing import NoPrice
from budget.engine.fields import count, only_fields
from budget.engine.job import Job, Maker
from budget.prices.book import PriceBook
from budget.prices.capabilities import Needs
from budget.prices.cheaper import fitting
from budget.prices.resolutions import why_unpriced

DEFAULT_CONTEXT_SIZE: Final = 4000
MOST: Final = 20


_FIELDS: Final = frozenset(RecommendAsk.__annotations__)


def recommend(ask: Mapping[str, Any], prices: PriceBook, at_us: int) -> Recommendations:
    """Models that would do, the cheapest first; cheaper ones than `model`, if one is named."""
    only_fields(ask, _FIELDS)
    named = {
        name: parse_value(ask[name], name)
        for name in ("provider", "model", "prefer_provider", "task_type")
        if ask.get(name) is not None
    }
    usage = _size(ask, named.get("task_type"))
    most = None if ask.get("max_cost") is None else parse_usd(ask["max_cost"], "max_cost")
    current, mode = None, "embedding" if named.get("task_type") == "embedding" else "chat"
    if "model" in named:
        rates = _priced(prices, named.get("provider"), named["model"], at_us)
        current = _item(rates, usage, is_known=True)
        mode = prices.capabilities(rates.provider, rates.model).mode or mode
    seller = _seller(prices, named, current, at_us)
    # What says nothing of its kind and writes is no embedding model, and the other way round.
    writes = mode != "embedding"
    needs = Needs(usage.input_tokens, usage.output_tokens, mode=mode)
    items = [
        _item(offer.rates, usage, current, is_known=offer.is_known)
        for offer in fitting(prices, seller, needs, at_us)
        if bool(offer.rates.output) == writes
    ]
    wanted = sorted(
        (item for item in items if _is_wanted(item, current, most)),
        key=lambda item: (item.cost_nanos, item.model),
    )
    return Recommendations(usage.input_tokens, usage.output_tokens, tuple(wanted[:MOST]), current)


def _size(ask: Mapping[str, Any], task_type: str | None) -> Usage:
    input_tokens, output_tokens = count(ask, "context_size"), count(ask, "output_size")
    if input_tokens is None:
        input_tokens = DEFAULT_CONTEXT_SIZE
    if output_tokens is None:
        embeds = task_type == "embedding"
        output_tokens = 0 if embeds else default_size_tokens(task_type, NORMAL_PRIORITY)
    return validated(Usage(input_tokens, output_tokens))


def _priced(prices: PriceBook, provider: str | None, model: str, at_us: int) -> Rates:
    found = prices.resolve(provider, model, at_us)
    if found.rates is None:
        raise NoPrice(provider, model, why_unpriced(found))
    return found.rates


def _seller(
    prices: PriceBook, named: Mapping[str, str], current: Recommendation | None, at_us: int
) -> str:
    """Whose models are looked at: those of the provider preferred, else of the model's."""
    for field in ("prefer_provider", "provider"):
        if field in named and (field == "prefer_provider" or current is None):
            seller = prices.seller(named[field], "", at_us) or named[field].strip().lower()
            if not prices.offered(seller, at_us):
                raise NotFound("provider", named[field][:80])
            return seller
    if current is None:
        raise InvalidInput("model", "is required, or a provider, or prefer_provider.")
    return current.provider


def _item(
    rates: Rates, usage: Usage, current: Recommendation | None = None, *, is_known: bool
) -> Recommendation:
    nanos = cost_nanos(rates, usage)
    return Recommendation(
        rates.provider,
        rates.model.removeprefix("regional."),
        nanos,
        rate_at(rates.input, usage.input_tokens),
        rate_at(rates.output, usage.input_tokens),
        is_known,
        None if current is None else current.cost_nanos - nanos,
    )


def _is_wanted(item: Recommendation, current: Recommendation | None, most: int | None) -> bool:
    if most is not None and item.cost_nanos > most:
        return False
    return current is None or item.cost_nanos < current.cost_nanos


class RecommendJobs(Maker):
    """The method that recommends models."""

    def recommend(self, **ask: Unpack[RecommendAsk]) -> Job[Recommendations]:
        """Say which models would do for a call of a size, and what it costs with each; cheaper
        ones, if a model is named. Nothing is booked.
        """
        books, now_us = self.books, self.books.database.now_us()
        return Job(read=lambda: recommend(ask, books.prices, now_us))

"""Calls about prices: what holds, where it comes from, and what is set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from budget.client.reading import prices as read
from budget.client.reading.parts import each, page
from budget.client.request import DatabaseOnly, Request, act, at, get, once
from budget.client.request import ask as asking
from budget.domain.answers_pages import Page
from budget.domain.answers_prices import (
    PriceComparison,
    PriceDecision,
    PriceOverride,
    PricePeriod,
    PriceReport,
    PriceSourceView,
    PriceUpdate,
    PriceView,
)
from budget.domain.asks_prices import PriceAsk


class PriceCalls:
    """The methods."""

    def prices(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        search: str | None = None,
        status: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Request[Page[PriceView]]:
        query = {
            "provider": provider, "model": model, "search": search, "status": status,
            "limit": limit, "cursor": cursor,
        }  # fmt: skip
        return get("/prices", page(read.price), query)

    def current_price(
        self,
        model: str,
        *,
        provider: str | None = None,
        at: str | None = None,
        price_context: Mapping[str, str] | None = None,
    ) -> Request[PriceView]:
        given = {"provider": provider, "at": at, "price_context": price_context}
        asked = {"model": model, **{name: one for name, one in given.items() if one is not None}}
        return asking("/prices/current", read.price, asked)

    def price_history(self, provider: str, model: str) -> Request[list[PricePeriod]]:
        path = at("/prices/history/{}/{}", provider, model)
        return get(path, each(read.price_period))

    def compare_prices(
        self, model: str, *, provider: str | None = None
    ) -> Request[PriceComparison]:
        query = {"model": model, "provider": provider}
        return get("/prices/compare", read.price_comparison, query)

    def price_sources(self) -> Request[list[PriceSourceView]]:
        return get("/prices/sources", each(read.price_source))

    def price_updates(
        self,
        *,
        status: str | None = None,
        source: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Request[Page[PriceUpdate]]:
        query = {
            "status": status, "source": source, "provider": provider, "model": model,
            "limit": limit, "cursor": cursor,
        }  # fmt: skip
        return get("/prices/updates", page(read.price_update), query)

    def set_price(self, **ask: Unpack[PriceAsk]) -> Request[PriceOverride]:
        return act("/prices", read.price_override, ask, method="PUT")

    def end_price(
        self, override_id: str, *, reason: str, ends_at: str | None = None
    ) -> Request[PriceOverride]:
        asked = {"reason": reason} if ends_at is None else {"reason": reason, "ends_at": ends_at}
        return once(at("/prices/overrides/{}/end", override_id), read.price_override, asked)

    def update_prices(
        self, *, sources: Sequence[str] | None = None, file: str | Path | None = None
    ) -> Request[PriceReport]:
        """A service reads no file of this machine: DatabaseOnly."""
        if file is not None:
            raise DatabaseOnly("A file of prices")
        asked = {} if sources is None else {"sources": list(sources)}
        return once("/prices/update", read.price_report, asked, patient=True)

    def accept_price(self, what: str, *, reason: str) -> Request[PriceDecision]:
        path = at("/prices/updates/{}/accept", what)
        return once(path, read.price_decision, {"reason": reason})

    def reject_price(self, what: str, *, reason: str) -> Request[PriceDecision]:
        path = at("/prices/updates/{}/reject", what)
        return once(path, read.price_decision, {"reason": reason})

"""Acts about prices: what holds, where it comes from, and what is set.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Unpack

from budget.domain.acts.act import Act
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


class PriceActs(Protocol):
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
    ) -> Act[Page[PriceView]]:
        """Every priced model as it stands now, by provider and model.

        `provider` is however spelled, `model` a whole name, `search` a part of either in any case,
        `status` one of verified, unverified, conflict, own.
        """

    def current_price(
        self,
        model: str,
        *,
        provider: str | None = None,
        at: str | None = None,
        price_context: Mapping[str, str] | None = None,
    ) -> Act[PriceView]:
        """The price of a model, now or at an instant, with what each source says; NoPrice."""

    def price_history(self, provider: str, model: str) -> Act[list[PricePeriod]]:
        """Every price a model had, has and will have, newest first; NotFound if none is known."""

    def compare_prices(self, model: str, *, provider: str | None = None) -> Act[PriceComparison]:
        """What each source says of a model now, side by side; NotFound if none knows it."""

    def price_sources(self) -> Act[list[PriceSourceView]]:
        """Every source of prices: whether it is read, what of it is in force, how that went."""

    def price_updates(
        self,
        *,
        status: str | None = None,
        source: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Act[Page[PriceUpdate]]:
        """Changes of prices, newest first.

        `status` is one of applied, quarantined, accepted, rejected, withdrawn.
        """

    def set_price(self, **ask: Unpack[PriceAsk]) -> Act[PriceOverride]:
        """Set the price of a model, from now or a date on, over what every source says.

        Of two that hold at an instant the one that was set later counts.
        """

    def end_price(
        self, override_id: str, *, reason: str, ends_at: str | None = None
    ) -> Act[PriceOverride]:
        """End a price that was set, now or at an instant to come: the sources' holds again."""

    def update_prices(
        self, *, sources: Sequence[str] | None = None, file: Any = None
    ) -> Act[PriceReport]:
        """Read sources anew (those configured, unless some are named) and apply what may be.

        With `file`, the one source named is read from that file of this machine: no face may take
        it from somebody else. A source that fails changes nothing and is reported.
        """

    def accept_price(self, what: str, *, reason: str) -> Act[PriceDecision]:
        """Let a quarantined update (by id), or all that a snapshot (by basis) holds, come into
        force.
        """

    def reject_price(self, what: str, *, reason: str) -> Act[PriceDecision]:
        """Say no to a quarantined update or snapshot: the former price stays in force."""

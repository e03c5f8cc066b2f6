"""Price jobs: the methods of the facade that are about prices; `Jobs` has them with all others.

Each reads or changes the price book of the database; what changes it needs the right to manage, and
is seen by this process when it answers, by the others with their next call. Where the books were
opened with a price book of the caller's own, only that one is read, and nothing changes it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

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
from budget.engine.job import Job, Maker
from budget.engine.price_book import acts as price_acts
from budget.engine.price_book import decisions as price_decisions
from budget.engine.price_book import history as price_history
from budget.engine.price_book import overrides as price_overrides
from budget.engine.price_book import reports as price_reports


class PriceJobs(Maker):
    """The methods about prices. Raise InvalidInput at once for bad input."""

    # --- Reading ---------------------------------------------------------------------------------

    def prices(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        search: str | None = None,
        status: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Job[Page[PriceView]]:
        """Every priced model as it stands now, by provider and model.

        `provider` is however spelled, `model` a whole name, `search` a part of either in any case,
        `status` one of verified, unverified, conflict, own.
        """
        asked = price_reports.Wanted(provider, model, search, status)
        return Job(read=lambda: price_reports.prices(self.books, asked, limit, cursor))

    def current_price(
        self,
        model: str,
        *,
        provider: str | None = None,
        at: str | None = None,
        price_context: Mapping[str, str] | None = None,
    ) -> Job[PriceView]:
        """The price of a model, now or at an instant, with what each source says; NoPrice."""
        return Job(
            read=lambda: price_reports.current(self.books, model, provider, at, price_context)
        )

    def price_history(self, provider: str, model: str) -> Job[list[PricePeriod]]:
        """Every price a model had, has and will have, newest first; NotFound if none is known."""
        return Job(read=lambda: price_history.history(self.books, provider, model))

    def compare_prices(self, model: str, *, provider: str | None = None) -> Job[PriceComparison]:
        """What each source says of a model now, side by side; NotFound if none knows it."""
        return Job(read=lambda: price_reports.compare(self.books, model, provider))

    def price_sources(self) -> Job[list[PriceSourceView]]:
        """Every source of prices: whether it is read, what of it is in force, how that went."""
        return Job(read=lambda: price_reports.sources(self.books))

    def price_updates(
        self,
        *,
        status: str | None = None,
        source: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Job[Page[PriceUpdate]]:
        """Changes of prices, newest first.

        `status` is one of applied, quarantined, accepted, rejected, withdrawn.
        """
        asked = price_reports.WantedUpdates(status, source, provider, model)
        return Job(read=lambda: price_reports.updates(self.books, asked, limit, cursor))

    # --- Changing --------------------------------------------------------------------------------

    def set_price(self, **ask: Unpack[PriceAsk]) -> Job[PriceOverride]:
        """Set the price of a model, from now or a date on, over what every source says.

        Of two that hold at an instant the one that was set later counts.
        """
        return price_overrides.setting(self.books, ask, self.caller)

    def end_price(
        self, override_id: str, *, reason: str, ends_at: str | None = None
    ) -> Job[PriceOverride]:
        """End a price that was set, now or at an instant to come: the sources' holds again."""
        return price_overrides.ending(self.books, override_id, reason, ends_at, self.caller)

    def update_prices(
        self, *, sources: Sequence[str] | None = None, file: str | Path | None = None
    ) -> Job[PriceReport]:
        """Read sources anew (those configured, unless some are named) and apply what may be.

        With `file`, the one source named is read from that file of this machine: no face may take
        it from somebody else. A source that fails changes nothing and is reported.
        """
        return price_acts.updating(self.books, sources, file, self.caller)

    def accept_price(self, what: str, *, reason: str) -> Job[PriceDecision]:
        """Let a quarantined update (by id), or all that a snapshot (by basis) holds, come into
        force.
        """
        return price_decisions.deciding(self.books, what, "accepted", reason, self.caller)

    def reject_price(self, what: str, *, reason: str) -> Job[PriceDecision]:
        """Say no to a quarantined update or snapshot: the former price stays in force."""
        return price_decisions.deciding(self.books, what, "rejected", reason, self.caller)

"""The listings of a feed as a source for a price book: models by their whole names.

Not here: matching by alias, date or prefix (the book's resolution), and which of several sources
is believed. It keeps the feed's own tuples, so that a book over a feed costs an index only.
"""

from collections.abc import Iterator

from budget.prices.listings import Feed, Listed
from budget.prices.schedules import Context, Schedule, Scheduled


class ListedPrices:
    """A feed's prices, as a `PriceSource`; names are matched whatever their case."""

    __slots__ = ("_basis", "_models", "_sellers")

    def __init__(self, feed: Feed) -> None:
        self._basis = feed.basis
        by_name: dict[str, dict[str, tuple[Listed, ...]]] = {}
        for listed in feed.prices:
            models = by_name.setdefault(listed.provider.lower(), {})
            name = listed.model.lower()
            models[name] = tuple(sorted((*models.get(name, ()), listed), key=_exactness))
        self._models = by_name
        self._sellers: dict[str, str | None] = {}
        """By model the one provider that sells it; None where several do."""
        for provider, models in by_name.items():
            for name in models:
                self._sellers[name] = None if name in self._sellers else provider

    @property
    def basis(self) -> str:
        """Source, version and start of the sha256 of its prices."""
        return self._basis

    def provider_id(self, provider: str) -> str | None:
        """The provider's id, however its letters are written; None if it sells nothing here."""
        spelled = provider.strip().lower()
        return spelled if spelled in self._models else None

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Scheduled | None:
        """The prices of a model in the most exact context that the call's has all of.

        Without a provider it must be sold by one alone. None if unknown, or only sold in contexts
        that the call is not of.
        """
        name = model.strip().lower()
        seller = self._sellers.get(name) if provider is None else provider.strip().lower()
        told = set(context)
        for listed in self._models.get(seller or "", {}).get(name, ()):
            if set(listed.context) <= told:
                return Schedule(listed.pieces)
        return None

    def models(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) listed, as the feed spells them."""
        for models in self._models.values():
            for listings in models.values():
                yield listings[-1].provider, listings[-1].model


def _exactness(listed: Listed) -> tuple[int, Context]:
    """The most names first, then by the alphabet."""
    return -len(listed.context), listed.context

"""Price reports: what holds, what held, what each source says, and what changed."""

from collections.abc import Mapping
from typing import NamedTuple

from budget.domain.answers_prices import (
    PriceComparison,
    PricePeriod,
    PriceSourceView,
    PriceUpdate,
    PriceView,
)
from budget.engine.books import Books
from budget.engine.pages import Page


class Wanted(NamedTuple):
    """Which prices are asked for."""

    provider: str | None
    model: str | None
    search: str | None
    status: str | None


class WantedUpdates(NamedTuple):
    """Which updates are asked for."""

    status: str | None
    source: str | None
    provider: str | None
    model: str | None


def prices(books: Books, asked: Wanted, limit: int, cursor: str | None) -> Page[PriceView]:
    """Every priced model as it stands now, by provider and model."""
    raise NotImplementedError


def current(
    books: Books,
    model: str,
    provider: str | None,
    at: str | None,
    price_context: Mapping[str, str] | None,
) -> PriceView:
    """The price of a model at an instant."""
    raise NotImplementedError


def history(books: Books, provider: str, model: str) -> list[PricePeriod]:
    """Every price a model had, has and will have, newest first."""
    raise NotImplementedError


def compare(books: Books, model: str, provider: str | None) -> PriceComparison:
    """What each source says of a model now."""
    raise NotImplementedError


def sources(books: Books) -> list[PriceSourceView]:
    """Every source of prices."""
    raise NotImplementedError


def updates(
    books: Books, asked: WantedUpdates, limit: int, cursor: str | None
) -> Page[PriceUpdate]:
    """Changes of prices, newest first."""
    raise NotImplementedError

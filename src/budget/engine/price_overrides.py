"""Price overrides: the prices that operators set by the API."""

from collections.abc import Mapping
from typing import Any

from budget.domain.answers_prices import PriceOverride
from budget.engine.asks import Caller
from budget.engine.books import Books
from budget.engine.job import Job


def setting(books: Books, ask: Mapping[str, Any], caller: Caller) -> Job[PriceOverride]:
    """The job of `set_price`."""
    raise NotImplementedError


def ending(
    books: Books, override_id: str, reason: str, ends_at: str | None, caller: Caller
) -> Job[PriceOverride]:
    """The job of `end_price`."""
    raise NotImplementedError

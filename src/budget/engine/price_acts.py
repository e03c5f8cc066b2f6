"""Price acts: reading sources anew, and deciding about what is held in quarantine."""

from collections.abc import Sequence
from pathlib import Path

from budget.domain.answers_prices import PriceDecision, PriceReport
from budget.engine.asks import Caller
from budget.engine.books import Books
from budget.engine.job import Job


def updating(
    books: Books, sources: Sequence[str] | None, file: str | Path | None, caller: Caller
) -> Job[PriceReport]:
    """The job of `update_prices`."""
    raise NotImplementedError


def deciding(
    books: Books, what: str, status: str, reason: str, caller: Caller
) -> Job[PriceDecision]:
    """The job of `accept_price` and `reject_price`."""
    raise NotImplementedError

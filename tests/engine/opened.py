"""Open books for tests of the engine: a clock that stands until it is moved, and round prices."""

import json
from datetime import datetime
from typing import Any, Final

import pytest

from budget.domain.answers import Allocation, BalanceView
from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates
from budget.engine.budget import Budget as Books
from budget.prices.book import PriceBook

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
USD: Final = 10**9

_RATES: Final[dict[tuple[str | None, str], Rates]] = {
    (None, "m"): Rates(1_000_000_000, 2_000_000_000)
}
PRICES: Final = PriceBook(None, _RATES)
"""The model `m`: 0.001 USD for an input token, 0.002 USD for an output token."""
MILLI: Final = 10**6
"""A thousandth of a dollar, in nano-USD: what an input token of `m` costs."""


def us(text: str) -> int:
    """An instant in UTC: "2026-03-29 01:00"."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND


class Clock:
    """Tells the ledger the time; it stands still until it is moved."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def move(self, by_us: int) -> int:
        """Move on; the new time."""
        self.now_us += by_us
        return self.now_us


def open_books(url: str, clock: Clock) -> Books:
    """Books that nothing expires in unless it is asked for."""
    return Books.open(url, clock=clock, prices=PRICES, sweep=False)


def allocated(books: Books, **ask: Any) -> Allocation:
    """A hold that must not be refused."""
    answer = books.allocate(**ask)
    assert isinstance(answer, Allocation), answer
    return answer


def figures(books: Books, policy_id: str) -> dict[str, tuple[int, int, int]]:
    """Spent, reserved and assumed of every balance of a policy in force, by partition."""
    return {
        view.partition: (view.spent, view.reserved, view.assumed)
        for view in balances(books, policy_id)
    }


def balances(books: Books, policy_id: str) -> list[BalanceView]:
    """Every balance of a policy in force that has been met."""
    return [view for view in books.status() if view.policy.policy_id == policy_id]


def told(books: Books, kind: str) -> list[dict[str, Any]]:
    """What the entries of a kind tell, in order."""
    return [json.loads(event.detail) for event in books.events(kind=kind, limit=1000).items]


def refused(act: Any, *args: Any, **ask: Any) -> InvalidInput:
    """The error of an act that bad input must stop."""
    with pytest.raises(InvalidInput) as caught:
        act(*args, **ask)
    return caught.value

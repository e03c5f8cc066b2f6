"""Recording: what usage costs when it tells another model, no price, or a time to come."""

from typing import Any

import pytest

from budget.domain.errors import Conflict, InvalidInput
from budget.domain.pricing import Rates
from budget.engine.budget import Budget as Books
from budget.prices.book import PriceBook
from tests.engine.opened import MILLI, SECOND, Clock, allocated, told

CHEAP = Rates(1_000_000_000, 2_000_000_000, provider="p", model="cheap")
DEAR = Rates(10_000_000_000, 20_000_000_000, provider="p", model="dear")
PRICES = PriceBook(
    None, {("p", "cheap"): CHEAP, ("p", "cheap-2026-01-01"): CHEAP, ("p", "dear"): DEAR}
)


@pytest.fixture
def priced(books_url: str, clock: Clock) -> Books:
    """Books in which `dear` costs ten times what `cheap` does: 0.01 and 0.02 USD a token."""
    return Books.open(books_url, clock=clock, prices=PRICES, sweep=False)


def held(books: Books, **ask: Any) -> str:
    """A hold of `cheap` for 100 and 50 tokens."""
    sized: dict[str, Any] = {
        "provider": "p",
        "model": "cheap",
        "input_tokens": 100,
        "max_output_tokens": 50,
    }
    return allocated(books, **sized, **ask).allocation_id


def test_usage_of_a_dearer_model_than_was_held_for_costs_what_that_one_does(priced: Books) -> None:
    with priced as books:
        receipt = books.settle(held(books), input_tokens=10, output_tokens=5, model="dear",
                               provider="p")  # fmt: skip
        assert receipt.cost_nanos == (10 * 10 + 5 * 20) * MILLI
        record = books.usage_record(receipt.usage_id)
        assert (record.model, record.attributes["model"]) == ("dear", "dear")
        assert books.verify().violations == ()


@pytest.mark.parametrize("name", ["cheap", "cheap-2026-01-01", "nobody-knows-it"])
def test_another_name_of_the_model_held_for_has_the_price_of_the_hold(
    priced: Books, name: str
) -> None:
    with priced as books:
        receipt = books.settle(
            held(books), input_tokens=10, output_tokens=5, model=name, provider="p"
        )
        assert receipt.cost_nanos == (10 * 1 + 5 * 2) * MILLI
        assert books.usage_record(receipt.usage_id).model == "cheap"


def test_settling_again_with_another_model_or_cost_is_a_conflict(priced: Books) -> None:
    with priced as books:
        call = held(books)
        used: dict[str, Any] = {"input_tokens": 10, "output_tokens": 5, "provider": "p"}
        books.settle(call, **used, model="dear")
        assert books.settle(call, **used, model="dear").replayed
        assert books.settle(call, **used).replayed
        with pytest.raises(Conflict):
            books.settle(call, **used, model="cheap")
        with pytest.raises(Conflict):
            books.settle(call, **used, cost="0.5")


def test_a_call_that_never_happened_costs_nothing_and_is_not_unpriced(books: Books) -> None:
    call = allocated(books, usd="1").allocation_id
    receipt = books.settle(call, input_tokens=0, output_tokens=0, requests=0)
    assert (receipt.cost_nanos, receipt.flags) == (0, ())
    used = books.settle(allocated(books, usd="1").allocation_id, input_tokens=1, output_tokens=0)
    assert (used.cost_nanos, used.flags) == (None, ("unpriced",))


def test_usage_from_up_to_five_minutes_ahead_is_from_now(books: Books, clock: Clock) -> None:
    call = allocated(books, tokens=10).allocation_id
    receipt = books.settle(
        call, input_tokens=1, output_tokens=0, occurred_at="2026-05-15T12:05:00Z"
    )
    assert books.usage_record(receipt.usage_id).occurred_us == clock()
    call = allocated(books, tokens=10).allocation_id
    with pytest.raises(InvalidInput) as caught:
        books.settle(call, input_tokens=1, output_tokens=0, occurred_at="2026-05-15T12:05:01Z")
    assert caught.value.field == "occurred_at"


def test_a_record_that_would_cost_more_than_any_may_changes_nothing(
    books: Books, clock: Clock
) -> None:
    run = allocated(books, envelope=True, usd="1", model="m").allocation_id
    call = allocated(books, parent_id=run, usd="0.5").allocation_id
    clock.move(SECOND)
    with pytest.raises(InvalidInput, match=r"one record is at most 1000000\.00 USD"):
        books.settle(run, input_tokens=10**9 + 1, output_tokens=0)
    # Its calls were not ended with it, either.
    assert books.allocation(call).status == "open"
    assert told(books, "settled") == []

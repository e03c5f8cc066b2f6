"""Costing: what usage costs before it is booked, on the books' own prices."""

import pytest

from budget.domain.errors import NotFound
from budget.engine.budget import Budget as Books
from tests.engine.opened import MILLI, refused


def test_what_is_said_to_cost_so_much_is_booked_at_that(books: Books) -> None:
    used = {"input_tokens": 30, "output_tokens": 4}
    told = books.calculate(model="m", **used)  # type: ignore[arg-type]
    assert told.cost.cost_nanos == (30 * 1 + 4 * 2) * MILLI
    booked = books.record_usage(model="m", **used)  # type: ignore[arg-type]
    assert booked.cost_nanos == told.cost.cost_nanos
    assert booked.basis == told.basis


def test_a_model_without_a_price_is_not_found(books: Books) -> None:
    with pytest.raises(NotFound, match="The price of model 'unheard-of' from provider 'p'"):
        books.calculate(model="unheard-of", provider="p", input_tokens=1)


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"input_tokens": 1}, "model"),
        ({"model": "m"}, "input_tokens"),
        ({"model": "m", "input_tokens": -1}, "input_tokens"),
        ({"model": "m", "input_tokens": 1, "cache_read_tokens": 2}, "input_tokens"),
        ({"model": "m", "input_tokens": 1, "at": "yesterday"}, "at"),
        ({"model": "m", "input_tokens": 1, "usd": "1"}, "usd"),
    ],
)
def test_bad_input_is_refused_by_name(books: Books, ask: dict[str, object], field: str) -> None:
    assert refused(books.calculate, **ask).field == field

"""Costing: what usage costs before it is booked, on the books' own prices."""

import pytest

from budget.domain import wire
from budget.domain.errors import NotFound
from budget.engine.budget import Budget as Books
from budget.engine.costing import calculate
from budget.prices.book import bundled_book
from tests.engine.opened import MILLI, refused, us


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


def test_an_answer_says_how_the_model_was_found(books: Books) -> None:
    assert books.calculate(model="m", input_tokens=1).resolved == ("a price of your own",)
    book = bundled_book()
    for model, how in (
        ("gpt-4o", ()),
        ("openai/gpt-4o-2024-08-06", ("prefix openai/", "dated id gpt-4o-2024-08-06")),
    ):
        told = calculate({"model": model, "input_tokens": 1}, book, us("2026-11-25 12:00"))
        assert told.resolved == how
        assert wire.calculation(told)["resolved"] == list(how)


def test_a_price_that_is_not_known_says_what_the_name_may_mean() -> None:
    for model, why in (
        ("gpt4o", "is not known. Known by names like it: openai/gpt-4o,"),
        ("meta-llama/Llama-3.3-70B-Instruct", "is not known. The name may mean any of these; say"),
        ("ft:gpt-9:org::id", "A fine-tuned gpt-9 is not sold at the price of gpt-9"),
        ("zzz", "is not known.$"),
    ):
        with pytest.raises(NotFound, match=why):
            calculate({"model": model, "input_tokens": 1}, bundled_book(), us("2026-11-25 12:00"))


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

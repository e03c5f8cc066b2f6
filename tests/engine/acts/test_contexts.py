"""Price contexts: a batch, a faster tier: what a hold states of them, and what usage tells."""

from typing import Any

import pytest

from budget.domain.answers import Refusal
from budget.domain.errors import Conflict
from budget.engine.budget import Budget as Books
from budget.prices.book import bundled_book
from tests.engine.opened import Clock, allocated, refused, us

CALL: dict[str, Any] = {"provider": "openai", "model": "gpt-5"}
"""1.25 USD in and 10 out a million; half of that in a batch, double with priority."""


@pytest.fixture
def autumn(books_url: str) -> Books:
    """Books on the bundled prices."""
    clock = Clock(us("2026-11-01 12:00"))
    return Books.open(books_url, clock=clock, prices=bundled_book(), sweep=False)


def test_a_hold_in_a_context_is_held_and_settled_at_its_price(autumn: Books) -> None:
    with autumn as books:
        batch = {"processing": "batch"}
        ask = {**CALL, "input_tokens": 1_000, "max_output_tokens": 100}
        usual, cheaper = allocated(books, **ask), allocated(books, **ask, price_context=batch)
        # 1000 x 1.25e-6 + 100 x 10e-6 = 0.00225 USD
        assert usual.reserved.usd == 2_250_000
        assert cheaper.reserved.usd == 1_125_000
        receipt = books.settle(cheaper.allocation_id, input_tokens=1_000, output_tokens=100)
        assert receipt.cost_nanos == 1_125_000
        assert books.verify().violations == ()


def test_usage_that_tells_a_context_has_its_price(autumn: Books) -> None:
    with autumn as books:
        used: dict[str, Any] = {"input_tokens": 1_000, "output_tokens": 100}
        fast: dict[str, Any] = {**used, **CALL, "price_context": {"service_tier": "priority"}}
        call = allocated(books, **CALL, input_tokens=1_000, max_output_tokens=100).allocation_id
        assert books.settle(call, **fast).cost_nanos == 4_500_000
        assert books.settle(call, **fast).replayed
        with pytest.raises(Conflict):
            books.settle(call, **{**fast, "price_context": {"service_tier": "flex"}})
        assert books.record_usage(**fast).cost_nanos == 4_500_000
        told = books.calculate(**fast)
        assert (told.cost.cost_nanos, told.context) == (4_500_000, "service_tier=priority")
        assert books.verify().violations == ()


def test_a_record_keeps_what_was_asked_for_whether_it_had_a_price_or_not(autumn: Books) -> None:
    with autumn as books:
        used: dict[str, Any] = {"input_tokens": 10, "output_tokens": 1}
        batch = {"processing": "batch", "region": "mars"}
        held = allocated(
            books, model="unheard-of", input_tokens=10, max_output_tokens=1, price_context=batch
        )
        by_hold = books.settle(held.allocation_id, **used).usage_id
        told = books.record_usage(**CALL, **used, price_context=batch).usage_id
        usual = books.record_usage(**CALL, **used).usage_id
        fixed = books.correct(told, reason="r", replacement={"input_tokens": 9}).replacement_id
        assert fixed is not None
        kept = [books.usage_record(one).price_context for one in (by_hold, told, fixed, usual)]
        assert kept == [*["processing=batch,region=mars"] * 3, None]
        assert books.verify().violations == ()


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({**CALL, "price_context": {"colour": "red"}}, "price_context.colour"),
        ({**CALL, "price_context": {"speed": 2}}, "price_context.speed"),
        ({**CALL, "price_context": "fast"}, "price_context"),
        ({"price_context": {"speed": "fast"}}, "price_context"),
    ],
)
def test_a_context_that_cannot_be_is_refused_by_name(
    autumn: Books, ask: dict[str, Any], field: str
) -> None:
    with autumn as books:
        assert refused(books.allocate, input_tokens=1, **ask).field == field


def test_a_priced_model_says_its_provider_where_none_is_named(autumn: Books) -> None:
    with autumn as books:
        books.create_budget(
            name="OpenAI", scope={"provider": "openai"},
            policies=[{"unit": "requests", "period": "total", "limit": 1}],
        )  # fmt: skip
        ask: dict[str, Any] = {"input_tokens": 1, "max_output_tokens": 1}
        call = allocated(books, model="gpt-5", **ask)
        assert (call.provider, call.attributes["provider"]) == ("openai", "openai")
        assert isinstance(books.allocate(model=" gpt-5 ", **ask), Refusal)
        assert isinstance(books.allocate(provider="openai", model="gpt-5", **ask), Refusal)
        allocated(books, model="claude-haiku-4-5", **ask)
        (shown,) = books.status(model="gpt-5")
        assert (shown.budget, shown.reserved) == ("OpenAI", 1)
        assert books.status(model="claude-haiku-4-5") == []

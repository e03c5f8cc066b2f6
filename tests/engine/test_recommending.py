"""Recommending: the cheapest first, of one provider, compared with the model in use."""

from typing import Any

import pytest

from budget.domain.errors import InvalidInput, NotFound
from budget.domain.wire.recommendations import recommendations
from budget.engine.recommending import recommend
from budget.prices.book import PriceBook
from budget.prices.bundled import bundled_prices
from tests.engine.opened import us

NOW = us("2026-07-01 00:00")


@pytest.fixture(scope="module")
def prices() -> PriceBook:
    """The prices that come with Budget."""
    return PriceBook(bundled_prices())


def told(prices: PriceBook, **ask: Any) -> Any:
    """What is recommended, as JSON."""
    return recommendations(recommend(ask, prices, NOW))


def test_what_is_cheaper_of_the_same_provider_comes_cheapest_first(prices: PriceBook) -> None:
    answer = told(prices, provider="openai", model="gpt-4o", context_size=4000, output_size=2000)
    # gpt-4o: 2.50 and 10.00 USD for a million tokens; 4000 x 2.50 + 2000 x 10.00 = 0.03 USD
    assert (answer["current_model"], answer["current_cost"]) == ("gpt-4o", "0.03")
    costs = [float(item["estimated_cost"]) for item in answer["items"]]
    assert costs == sorted(costs)
    assert costs[-1] < 0.03
    assert {item["provider"] for item in answer["items"]} == {"openai"}
    (mini,) = [item for item in answer["items"] if item["model"] == "gpt-4o-mini"]
    # 0.15 and 0.60: 4000 x 0.15 + 2000 x 0.60 = 0.0018 USD, 0.0282 less, which is 94 percent
    assert mini == {
        "provider": "openai", "model": "gpt-4o-mini", "estimated_cost": "0.0018",
        "savings": "0.0282", "savings_percent": "94.00", "input_price": "0.15",
        "output_price": "0.60", "input_cost_per_token": "0.00000015",
        "output_cost_per_token": "0.0000006", "is_known": True,
    }  # fmt: skip


def test_the_best_is_the_cheapest_of_which_enough_is_known(prices: PriceBook) -> None:
    answer = told(prices, model="gpt-4o")
    known = [item for item in answer["items"] if item["is_known"]]
    assert answer["best_match"] == known[0]
    assert answer["best_match"] not in answer["alternatives"]
    assert len(answer["alternatives"]) == len(answer["items"]) - 1


def test_the_models_of_another_provider_may_be_preferred_up_to_a_cost(prices: PriceBook) -> None:
    answer = told(prices, model="gpt-4o", prefer_provider="Anthropic", max_cost="0.02")
    assert answer["items"]
    assert {item["provider"] for item in answer["items"]} == {"anthropic"}
    assert all(float(item["estimated_cost"]) <= 0.02 for item in answer["items"])


def test_without_a_model_nothing_is_saved_but_everything_that_will_do_is_told(
    prices: PriceBook,
) -> None:
    answer = told(prices, provider="anthropic", task_type="coding")
    assert (answer["context_size"], answer["output_size"]) == (4000, 8000)
    assert answer["current_model"] is None
    assert {item["savings"] for item in answer["items"]} == {None}


def test_an_embedding_is_asked_of_embedding_models(prices: PriceBook) -> None:
    answer = told(prices, provider="openai", task_type="embedding")
    assert answer["output_size"] == 0
    assert answer["items"]
    assert all("embedding" in item["model"] for item in answer["items"])


def test_what_takes_no_call_of_that_size_is_left_out(prices: PriceBook) -> None:
    every = {item["model"] for item in told(prices, provider="openai")["items"]}
    large = told(prices, provider="openai", context_size=500_000)
    assert all(item["model"] != "gpt-4o-mini" for item in large["items"])  # 128,000 tokens
    assert every


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({}, "model"),
        ({"task_type": "coding"}, "model"),
        ({"model": 7}, "model"),
        ({"model": "gpt-4o", "context_size": -1}, "context_size"),
        ({"model": "gpt-4o", "output_size": "many"}, "output_size"),
        ({"model": "gpt-4o", "max_cost": "NaN"}, "max_cost"),
        ({"model": "gpt-4o", "colour": "red"}, "colour"),
    ],
)
def test_bad_input_is_named(prices: PriceBook, ask: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        recommend(ask, prices, NOW)
    assert caught.value.field == field


def test_what_has_no_price_is_compared_with_nothing(prices: PriceBook) -> None:
    with pytest.raises(NotFound):
        recommend({"model": "no-such-model"}, prices, NOW)
    with pytest.raises(NotFound):
        recommend({"provider": "nobody"}, prices, NOW)

"""Rhetor's models: read with care, priced by our names, and which of them stand in for which."""

from typing import Any, Final

import pytest

from budget.domain.pricing import Rates
from budget.neighbours.calling import Unanswered
from budget.neighbours.rhetor.catalogue import (
    PricedModel,
    RhetorModel,
    assignments_in,
    models_in,
    priced,
    shape_of,
)
from budget.neighbours.rhetor.selecting import stand_ins
from budget.prices.book import PriceBook
from budget.prices.bundled import bundled_prices
from tests.engine.opened import us
from tests.fakes.tekton.component import Asked
from tests.fakes.tekton.rhetor import Rhetor

NOW: Final = us("2026-11-26 12:00")
LIST: Final = Asked("GET", "/api/models/", {}, {}, None, b"")


@pytest.fixture(scope="module")
def all_of_them() -> dict[str, PricedModel]:
    """The 24 models that Rhetor has, at the bundled prices, one of Ollama's stated as free."""
    book = PriceBook(bundled_prices(), {("ollama", "llama3.3:70b"): Rates(0, 0)})
    found = priced(models_in(Rhetor().answer(LIST)[1]), book, NOW)
    return {one.model.model_id: one for one in found}


@pytest.mark.parametrize(
    ("model", "provider", "listed", "input_price", "output_price"),
    [
        ("claude-opus-4-1-20250805", "anthropic", "claude-opus-4-1", "15.00", "75.00"),
        ("claude-3-5-haiku-20241022", "anthropic", "claude-3-5-haiku-latest", "0.80", "4.00"),
        ("gpt-4o", "openai", "gpt-4o", "2.50", "10.00"),
        ("gpt-3.5-turbo", "openai", "gpt-3.5-turbo", "0.50", "1.50"),
        ("grok-3-20250827", "x-ai", "grok-3", "3.00", "15.00"),
        ("gemini-2-5-pro", "google", "gemini-2.5-pro", "1.25", "10.00"),
        ("gemini-2-5-flash-lite", "google", "gemini-2.5-flash-lite", "0.10", "0.40"),
    ],
)
def test_names_of_rhetor_are_resolved_and_priced(
    all_of_them: dict[str, PricedModel], model: str, provider: str, listed: str,
    input_price: str, output_price: str,
) -> None:  # fmt: skip
    told = shape_of(all_of_them[model])
    assert (told["price_provider"], told["price_model"]) == (provider, listed)
    assert (told["input_price"], told["output_price"]) == (input_price, output_price)
    assert (told["priced"], told["free"], told["why"]) == (True, False, "")


def test_only_what_a_machine_of_ones_own_answers_has_no_price(
    all_of_them: dict[str, PricedModel],
) -> None:
    unpriced = {name for name, one in all_of_them.items() if one.rates is None}
    owned = {name for name, one in all_of_them.items() if one.model.provider == "ollama"}
    assert len(all_of_them) == 24
    assert unpriced == owned - {"llama3.3:70b"}
    assert all_of_them["llama3.3:70b"].is_free
    told = shape_of(all_of_them["gpt-oss:120b"])
    assert (told["priced"], told["free"], told["input_price"]) == (False, False, None)
    assert told["why"].endswith("State its price, or 0 where it is free: `budget prices set`.")


def test_what_stands_in_is_the_next_cheaper_with_the_capability_and_what_is_free_comes_last(
    all_of_them: dict[str, PricedModel],
) -> None:
    # A thousand tokens in and out, in USD a million: opus 90, sonnet 18, gpt-4-turbo 40,
    # grok-4 and grok-3 18, gpt-4o 12.50, gemini-2.5-pro 11.25; llama is free.
    opus = all_of_them["claude-opus-4-1-20250805"].model
    found = stand_ins(opus, all_of_them.values(), "reasoning", 1_000, 1_000)
    assert found == [
        "anthropic/claude-sonnet-4-20250514", "openai/gpt-4-turbo", "xai/grok-3-20250827",
        "xai/grok-4-0709", "openai/gpt-4o", "gemini/gemini-2-5-pro", "ollama/llama3.3:70b",
    ]  # fmt: skip
    assert "openai/gpt-4o" not in stand_ins(opus, all_of_them.values(), "planning", 1_000, 1_000)
    # 200,000 tokens fit into those with a larger window only, 60,000 of output into few.
    large = stand_ins(opus, all_of_them.values(), "reasoning", 140_000, 60_000)
    assert large == ["anthropic/claude-sonnet-4-20250514", "gemini/gemini-2-5-pro"]


def test_what_is_deprecated_or_dearer_does_not_stand_in(
    all_of_them: dict[str, PricedModel],
) -> None:
    mini = all_of_them["gpt-4o-mini"].model
    old = all_of_them["gemini-2-5-flash-lite"]
    old = old._replace(model=old.model._replace(deprecated=True))
    found = stand_ins(mini, [*all_of_them.values(), old], "chat", 1_000, 1_000)
    # 0.15 + 0.60 USD a million: gemini-2.5-flash-lite at 0.10 + 0.40 is cheaper
    assert found == ["gemini/gemini-2-5-flash-lite", "ollama/llama3.3:70b"]
    others = [one for one in all_of_them.values() if one.model.model_id != old.model.model_id]
    assert stand_ins(mini, [*others, old], "chat", 1_000, 1_000) == ["ollama/llama3.3:70b"]
    unlisted = RhetorModel("of-another-list", "openai")
    assert len(stand_ins(unlisted, all_of_them.values(), "chat", 1, 1)) == 15
    free = all_of_them["llama3.3:70b"].model
    assert stand_ins(free, all_of_them.values(), "chat", 1, 1) == []


@pytest.mark.parametrize("answer", [None, {}, "models", 7, {"models": {}}])
def test_what_is_no_list_of_models_is_told(answer: Any) -> None:
    with pytest.raises(Unanswered, match="list of models"):
        models_in(answer)


def test_entries_that_cannot_be_models_are_left_out() -> None:
    good = {"id": "m", "provider": "p"}
    odd = [
        None, 7, {}, {"id": "m"}, {"id": "", "provider": "p"}, {"id": 7, "provider": "p"},
        {"id": "x" * 300, "provider": "p"}, {"id": "a\nb", "provider": "p"},
        {"id": "n", "provider": "p", "aliases": "x", "capabilities": [1, "chat"],
         "context_window": -1, "max_output": True, "deprecated": "no"},
    ]  # fmt: skip
    first, last = models_in([good, *odd])
    assert first == RhetorModel("m", "p")
    assert last == RhetorModel("n", "p", capabilities=("chat",))
    assert models_in({"models": [good]}) == (first,)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, {}),
        ({"defaults": {"chat": "m"}, "components": "x"}, {"defaults": {"chat": "m"}}),
        ({"components": {"a": {"chat": "m", "code": 7}, "b": [], "": {"chat": "m"}}},
         {"a": {"chat": "m"}}),
    ],
)  # fmt: skip
def test_assignments_are_read_as_far_as_they_can_be(answer: Any, expected: Any) -> None:
    assert assignments_in(answer) == expected

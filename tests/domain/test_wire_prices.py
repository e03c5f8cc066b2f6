"""Prices in JSON: kinds of units, tiers, versions, and the words that Tekton has for them."""

import pytest

from budget.domain import wire
from budget.domain.answers_prices import PriceView
from budget.domain.pricing import Rate, Rates
from budget.domain.wire.prices import price_type, version_of


def units(**rates: Rate) -> tuple[tuple[str, Rate], ...]:
    return tuple(sorted(rates.items()))


def test_each_kind_is_told_for_as_many_as_people_count() -> None:
    rates = Rates(
        ((0, 1_250_000), (200_001, 2_500_000)), 10_000_000, cache_read=125_000,
        request=5 * 10**9, provider="lab", model="m", basis="lab/1/abc",
        units=units(input_audio_tokens=32_000_000, searches=10**10),
    )  # fmt: skip
    told = wire.price(PriceView("lab", "m", "", 0, None, None, rates, "own", "own"))
    # pico-USD per token are USD per million tokens in millionths
    assert told["prices"]["input"] == [[0, "1.25"], [200_001, "2.50"]]
    assert told["prices"]["cache_read"] == "0.125"
    assert told["prices"]["cache_write"] is None
    assert told["prices"]["request"] == "0.005"
    assert told["prices"]["units"] == {"input_audio_tokens": "32.00", "searches": "0.01"}
    # Tekton's figure for input is that of small calls
    assert told["input_cost_per_token"] == "0.00000125"
    assert (told["verified"], told["version"], told["capabilities"]) == (False, "1", None)


@pytest.mark.parametrize(
    ("rates", "kind"),
    [
        (Rates(1, 0), "token_based"),
        (Rates(0, 0), "token_based"),
        (Rates(0, ((0, 0), (100, 0))), "token_based"),
        (Rates(0, 0, request=1), "fixed"),
        (Rates(0, 0, units=units(characters=1)), "character_based"),
        (Rates(0, 0, units=units(images=1), request=1), "image_based"),
        (Rates(0, 0, units=units(milliseconds=1)), "time_based"),
        (Rates(0, 1, units=units(searches=1)), "token_based"),
    ],
)
def test_the_type_of_a_price_is_what_it_counts_first_of_all(rates: Rates, kind: str) -> None:
    assert price_type(rates) == kind


@pytest.mark.parametrize(
    ("basis", "version"),
    [
        ("genai-prices/0.2.3/f95ad1dfb576", "0.2.3"),
        ("genai-prices/0.2.3/f95ad1dfb576+corrections", "0.2.3"),
        ("own/f95ad1dfb576", "f95ad1dfb576"),
        ("override/price_1", "price_1"),
    ],
)
def test_a_version_is_that_of_the_source(basis: str, version: str) -> None:
    assert version_of(basis) == version

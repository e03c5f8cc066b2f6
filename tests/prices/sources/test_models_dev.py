"""models.dev: figures by hand, exact tiers before the legacy one, modes as price contexts."""

import json
from typing import Any

import pytest

from budget.domain.pricing import Rates
from budget.prices.listings import Capabilities, Feed
from budget.prices.schedules import Context
from budget.prices.sources.models_dev import ADAPTER
from tests.support.feeds import MODELS_DEV, dumped

PRIORITY: Context = (("service_tier", "priority"),)
COST: dict[str, Any] = {"input": 1, "output": 2}


@pytest.fixture(scope="module")
def feed() -> Feed:
    return ADAPTER.read(dumped(MODELS_DEV), "2026-11-25")


def rates_of(feed: Feed, provider: str, model: str, context: Context = ()) -> Rates:
    for listed in feed.prices:
        if (listed.provider, listed.model, listed.context) == (provider, model, context):
            (piece,) = listed.pieces
            assert piece.rates is not None
            return piece.rates
    raise AssertionError((provider, model, context))


def read_models(models: dict[str, Any], provider: str = "openai") -> Feed:
    """A feed of one provider's models, beside one more that keeps it from being a bad one."""
    return ADAPTER.read(
        json.dumps(
            {"other": {"models": {"m": {"cost": COST}}}, provider: {"models": models}}
        ).encode(),
        "v",
    )


def why_not(model: Any) -> str:
    (skipped,) = read_models({"m": model}).skipped
    assert skipped.place == "openai/m"
    return skipped.why


def test_prices_per_million_become_pico_usd_per_token(feed: Feed) -> None:
    rates = rates_of(feed, "openai", "small-1")
    # 1.25 USD a million in and 2.5 above 272,000 tokens; a cache write at 0 is not believed
    assert rates.input == ((0, 1_250_000), (272_001, 2_500_000))
    assert rates.output == ((0, 10_000_000), (272_001, 15_000_000))
    assert rates.cache_read == ((0, 125_000), (272_001, 250_000))
    assert rates.cache_write is None
    heard = rates_of(feed, "together", "lab/open-1")
    assert heard.units == (("input_audio_tokens", 2_000_000), ("output_audio_tokens", 4_000_000))


def test_the_legacy_tier_counts_only_where_there_is_no_other(feed: Feed) -> None:
    older = rates_of(feed, "together", "lab/older-1")
    assert older.input == ((0, 1_000_000), (200_001, 2_000_000))
    flat = read_models({"m": {"cost": {**COST, "tiers": [], "context_over_200k": {"input": 9}}}})
    assert rates_of(flat, "openai", "m").input == 1_000_000


def test_a_mode_that_a_request_asks_for_is_a_price_context(feed: Feed) -> None:
    fast = rates_of(feed, "openai", "small-1", PRIORITY)
    # 2.5 and 20 USD a million; above 272,000 tokens at least that, and usually 15 for output
    assert fast.input == 2_500_000
    assert fast.output == 20_000_000
    assert fast.cache_read == ((0, 125_000), (272_001, 250_000))
    assert [each.place for each in feed.skipped if "mode" in each.place] == [
        "openai/small-1, mode odd"
    ]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({}, "no price"),
        ({"cost": None}, "no price"),
        ({"cost": []}, "not an object"),
        ([], "not an object"),
        ({"cost": {"input": 1}}, "no price of input and output"),
        ({"cost": {"input": 0, "output": 0}}, "all zero"),
        ({"cost": {"input": -1, "output": 2}}, "negative"),
        ({"cost": {"input": "1", "output": 2}}, "not a number"),
        ({"cost": {**COST, "reasoning": True}}, "not a number"),
        ({"cost": {**COST, "tiers": [{"tier": {"type": "requests", "size": 5}}]}}, "not ones of"),
        ({"cost": {**COST, "tiers": [{"tier": {"size": 0}, **COST}]}}, "not ones of"),
        ({"cost": {**COST, "tiers": [{"tier": {"size": 5}, **COST}] * 2}}, "not ones of"),
        ({"cost": {**COST, "tiers": [{"tier": {"size": 5}, "input": 3}]}}, "not in all of its"),
        ({"cost": {**COST, "tiers": {"size": 5}}}, "not a list"),
        ({"cost": {**COST, "context_over_200k": 3}}, "not an object"),
        ({"cost": COST, "experimental": {"modes": {"x": 5}}}, "not an object"),
    ],
)
def test_odd_models_are_left_out_and_said_so(model: Any, why: str) -> None:
    assert why in why_not(model)


def test_a_provider_without_models_is_left_out_alone() -> None:
    found = ADAPTER.read(
        json.dumps({"a": {}, "b": 5, "": {"models": {}}, "c": {"models": {"m": {"cost": COST}}}})
        .encode(), "v"
    )  # fmt: skip
    assert [listed.provider for listed in found.prices] == ["c"]
    assert [skipped.place for skipped in found.skipped] == ["a", "b", ""]


def test_providers_have_our_ids_and_another_way_gives_way_to_the_seller_s_own() -> None:
    dear = {"models": {"m": {"cost": {"input": 7, "output": 7}}}}
    cheap = {"models": {"m": {"cost": COST}}}
    found = ADAPTER.read(
        json.dumps({"google-vertex": dear, "google": cheap, "amazon-bedrock": cheap}).encode(), "v"
    )
    assert {listed.provider for listed in found.prices} == {"google", "aws"}
    assert rates_of(found, "google", "m").input == 1_000_000


def test_zeros_are_a_price_of_what_is_called_free() -> None:
    found = read_models({"lab/m:free": {"cost": {"input": 0, "output": 0}}})
    assert rates_of(found, "openai", "lab/m:free")[:2] == (0, 0)


def test_what_models_can_do_comes_with_them(feed: Feed) -> None:
    assert feed.capabilities["openai", "small-1"] == Capabilities(
        context_window=400_000,
        max_output_tokens=128_000,
        mode="chat",
        tools=True,
        vision=True,
        audio=False,
        json=True,
        reasoning=True,
        open_weights=False,
    )
    spoken = feed.capabilities["together", "lab/open-1"]
    assert (spoken.mode, spoken.audio, spoken.vision) == ("audio", True, False)
    odd = read_models(
        {"m": {"cost": COST, "limit": 5, "modalities": "text", "tool_call": {"supported": True}}}
    )
    assert odd.capabilities["openai", "m"] == Capabilities(tools=True)

"""OpenRouter's list: prices written as text, what varies, what is free, tiers by prompt tokens."""

import json
from typing import Any

import pytest

from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import Usage
from budget.prices.listings import Capabilities, Feed
from budget.prices.sources.openrouter import ADAPTER
from tests.support.feeds import OPENROUTER, dumped

PRICING: dict[str, Any] = {"prompt": "0.000001", "completion": "0.000002"}


@pytest.fixture(scope="module")
def feed() -> Feed:
    return ADAPTER.read(dumped(OPENROUTER), "2026-11-25")


def rates_of(feed: Feed, model: str) -> Rates:
    for listed in feed.prices:
        if listed.model == model:
            (piece,) = listed.pieces
            assert piece.rates is not None
            assert (listed.provider, listed.context) == ("openrouter", ())
            return piece.rates
    raise AssertionError(model)


def why_not(entry: Any) -> str:
    found = ADAPTER.read(
        json.dumps({"data": [{"id": "other", "pricing": PRICING}, entry]}).encode(), "v"
    )
    (skipped,) = found.skipped
    return skipped.why


def test_prices_of_a_unit_become_pico_usd(feed: Feed) -> None:
    rates = rates_of(feed, "anthropic/claude-9")
    assert rates.input == ((0, 3_000_000), (200_001, 6_000_000))
    assert rates.output == ((0, 15_000_000), (200_001, 22_500_000))
    assert rates.cache_read == ((0, 300_000), (200_001, 600_000))
    assert rates.cache_write == 3_750_000
    assert rates.cache_write_1h == 6_000_000
    assert rates.reasoning is None  # a zero beside a price
    assert rates.units == (("searches", 10**10),)
    # 1000 x 1e-6 USD each way, and half a cent for the call
    by_the_call = rates_of(feed, "lab/by-the-call")
    assert cost_nanos(by_the_call, Usage(1_000, 1_000)) == 2_000_000 + 5_000_000


def test_audio_is_priced_by_its_tokens(feed: Feed) -> None:
    assert rates_of(feed, "openai/audio-9").units == (
        ("input_audio_tokens", 32_000_000),
        ("output_audio_tokens", 64_000_000),
    )


def test_a_price_that_varies_is_none(feed: Feed) -> None:
    assert feed.skipped[0].place == "openrouter/auto"
    assert "varies" in feed.skipped[0].why
    assert "varies" in why_not({"id": "m", "pricing": {**PRICING, "completion": -1}})


def test_zeros_are_a_price_of_what_is_called_free(feed: Feed) -> None:
    assert rates_of(feed, "lab/open-9:free")[:2] == (0, 0)
    assert feed.skipped[1].place == "lab/stealth-9"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (5, "not an object"),
        ({"pricing": PRICING}, "its name is not text"),
        ({"id": "m"}, "not an object"),
        ({"id": "m", "pricing": {"prompt": "0.1"}}, "no price of input and output"),
        ({"id": "m", "pricing": {**PRICING, "web_search": "free"}}, "not a number"),
        ({"id": "m", "pricing": {**PRICING, "prompt": "-0.1"}}, "negative"),
        ({"id": "m", "pricing": {**PRICING, "prompt": "NaN"}}, "not a number"),
        ({"id": "m", "pricing": {**PRICING, "prompt": "1e30"}}, "beyond all bounds"),
        ({"id": "m", "pricing": {**PRICING, "prompt": None}}, "no price of input"),
        ({"id": "m", "pricing": {**PRICING, "overrides": [{"hour": 3}]}}, "under conditions"),
        ({"id": "m", "pricing": {**PRICING, "overrides": [
            {"min_prompt_tokens": 5, "max_prompt_tokens": 9}]}}, "under conditions"),
        ({"id": "m", "pricing": {**PRICING, "overrides": 5}}, "not a list"),
        ({"id": "other", "pricing": {**PRICING, "prompt": "1"}}, "more than once"),
    ],
)  # fmt: skip
def test_odd_models_are_left_out_and_said_so(entry: Any, why: str) -> None:
    if isinstance(entry, dict) and entry.get("id") == "other":
        # Both are left out, so a third keeps the feed from being a bad one.
        entries = [{"id": "third", "pricing": PRICING}, {"id": "other", "pricing": PRICING}, entry]
        found = ADAPTER.read(json.dumps({"data": entries}).encode(), "v")
        assert [listed.model for listed in found.prices] == ["third"]
        assert why in found.skipped[0].why
    else:
        assert why in why_not(entry)


def test_what_models_can_do_comes_with_them(feed: Feed) -> None:
    assert feed.capabilities["openrouter", "anthropic/claude-9"] == Capabilities(
        context_window=1_000_000,
        max_output_tokens=64_000,
        mode="chat",
        tools=True,
        vision=True,
        audio=False,
        json=True,
        reasoning=False,
        retired_us=1_801_353_600_000_000,  # 31 January 2027
    )
    assert ("openrouter", "lab/open-9:free") not in feed.capabilities

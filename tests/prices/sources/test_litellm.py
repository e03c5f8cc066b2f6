"""LiteLLM's map: keys and figures by hand, names and sellers, and what is left out."""

import importlib.util
import json
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import Usage
from budget.prices.listings import Capabilities, Feed
from budget.prices.schedules import Context
from budget.prices.sources.litellm import ADAPTER, installed_map
from tests.support.feeds import LITELLM, dumped

BATCH: Context = (("processing", "batch"),)
PRIORITY: Context = (("service_tier", "priority"),)
CHAT = {"litellm_provider": "openai", "mode": "chat"}
PRICED = {**CHAT, "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}


@pytest.fixture(scope="module")
def feed() -> Feed:
    return ADAPTER.read(dumped(LITELLM), "1.2.3")


def rates_of(feed: Feed, provider: str, model: str, context: Context = ()) -> Rates:
    for listed in feed.prices:
        if (listed.provider, listed.model, listed.context) == (provider, model, context):
            (piece,) = listed.pieces
            assert piece.rates is not None
            return piece.rates
    raise AssertionError((provider, model, context))


def read_one(entry: dict[str, Any], name: str = "m", context: Context = ()) -> Rates:
    """The rates of an entry beside another one, which keeps the feed from being a bad one."""
    found = ADAPTER.read(json.dumps({"other": PRICED, name: entry}).encode(), "v")
    return rates_of(found, "openai", name, context)


def why_not(entry: Any, name: str = "m") -> str:
    """Why an entry is left out."""
    found = ADAPTER.read(json.dumps({"other": PRICED, name: entry}).encode(), "v")
    (skipped,) = found.skipped
    assert skipped.place == name
    return skipped.why


def test_prices_of_a_token_become_pico_usd(feed: Feed) -> None:
    rates = rates_of(feed, "openai", "small-1")
    # 1.25 USD a million in, 10 out, 0.125 cached; 0.01 USD a search
    assert rates[:4] == (1_250_000, 10_000_000, 125_000, None)
    assert rates.units == (("searches", 10**10),)
    # 600 x 1.25e-6 + 400 x 0.125e-6 + 50 x 10e-6 + 2 x 0.01 = 0.0213 USD
    assert cost_nanos(rates, Usage(1_000, 50, 400, units=(("searches", 2),))) == 21_300_000


def test_suffixes_are_price_contexts_that_keep_what_they_do_not_price(feed: Feed) -> None:
    batch = rates_of(feed, "openai", "small-1", BATCH)
    assert batch[:3] == (625_000, 5_000_000, 125_000)
    assert batch.context == "processing=batch"
    assert rates_of(feed, "openai", "small-1", PRIORITY)[:2] == (2_500_000, 20_000_000)


def test_prices_above_some_length_are_tiers(feed: Feed) -> None:
    rates = rates_of(feed, "google", "long-1")
    assert rates.input == ((0, 1_250_000), (200_001, 2_500_000))
    assert rates.output == ((0, 10_000_000), (200_001, 15_000_000))
    # A price of cache writes above the tier alone says nothing of those below it.
    assert rates.cache_write is None
    written = rates_of(feed, "anthropic", "claude-1")
    assert written.cache_write == 3_750_000
    assert written.cache_write_1h == ((0, 6_000_000), (200_001, 12_000_000))


def test_a_context_without_tiers_of_its_own_keeps_the_dearer_ones(feed: Feed) -> None:
    batch = rates_of(feed, "google", "long-1", BATCH)
    assert batch.input == ((0, 625_000), (200_001, 2_500_000))
    own = read_one(
        {
            **PRICED,
            "input_cost_per_token_above_272k_tokens": 2e-06,
            "input_cost_per_token_priority": 5e-06,
            "input_cost_per_token_batches": 5e-07,
            "input_cost_per_token_above_272k_tokens_batches": 1e-06,
        },
        context=BATCH,
    )
    assert own.input == ((0, 500_000), (272_001, 1_000_000))


def test_ranges_of_input_tokens_are_tiers(feed: Feed) -> None:
    rates = rates_of(feed, "alibaba", "steps-1")
    assert rates.input == ((0, 50_000), (256_001, 250_000))
    assert rates.output == ((0, 400_000), (256_001, 2_000_000))


@pytest.mark.parametrize(
    ("tiers", "why"),
    [
        ([{"range": [1, 10], "input_cost_per_token": 1}], "do not follow"),
        ([{"range": [0, 10], "input_cost_per_token": 1e-6}, {"range": [20, 30]}], "do not follow"),
        ([{"range": [0, 10], "output_cost_per_token": 1e-6}, {"range": [10, 20]}], "all of its"),
        ([{"range": [0]}], "not ranges"),
        ([{"max_results_range": [0, 10], "input_cost_per_query": 0.1}], "not ranges"),
        ([{"range": [0, 10], "input_cost_per_token_batches": 1e-6}], "tiers or contexts"),
        ([5], "not an object"),
        ("cheap", "not a list"),
    ],
)
def test_ranges_with_gaps_are_no_tiers(tiers: object, why: str) -> None:
    assert why in why_not({**CHAT, "tiered_pricing": tiers})


def test_models_that_are_not_sold_by_the_token_have_their_own_units(feed: Feed) -> None:
    # 0.0001 USD a second is 100,000 pico for a millisecond; said twice, paid once
    assert rates_of(feed, "openai", "whisper-9").units == (("milliseconds", 100_000),)
    assert rates_of(feed, "openai", "tts-9").units == (("characters", 15_000_000),)
    assert rates_of(feed, "cohere", "rerank-9").units == (("searches", 2 * 10**9),)


@pytest.mark.parametrize(
    ("entry", "units"),
    [
        ({"mode": "ocr", "ocr_cost_per_page": 0.002}, {"pages": 2 * 10**9}),
        ({"mode": "image_generation", "output_cost_per_image": 0.04}, {"images": 4 * 10**10}),
        ({"mode": "image_generation", "input_cost_per_pixel": 2e-8, "output_cost_per_pixel": 0},
         {"pixels": 20_000}),
        # the same picture by its tokens: not paid twice
        ({"mode": "image_generation", "output_cost_per_image": 0.04,
          "output_cost_per_image_token": 4e-05}, {"output_image_tokens": 40_000_000}),
        ({"mode": "audio_transcription", "input_cost_per_second": 0.001,
          "input_cost_per_audio_token": 6e-06},
         {"input_audio_tokens": 6_000_000, "milliseconds": 10**6}),
    ],
)  # fmt: skip
def test_units_beside_tokens(entry: dict[str, Any], units: dict[str, int]) -> None:
    found = read_one({"litellm_provider": "openai", **entry})
    assert dict(found.units) == units
    # Tokens of no stated kind are those that the model has a price for.
    assert found.input == units.get("input_audio_tokens", 0)
    assert found.output == units.get("output_image_tokens", 0)


def test_prices_that_have_no_one_meaning_are_left_out_of_the_units() -> None:
    asked = {"search_context_size_low": 0.005, "search_context_size_high": 0.012}
    assert read_one({**PRICED, "search_context_cost_per_query": asked}).units == ()
    video = {"litellm_provider": "openai", "mode": "video_generation"}
    assert "zero or none" in why_not({**video, "output_cost_per_second": 0.1})
    speech = {"mode": "audio_transcription", "litellm_provider": "openai"}
    both = {**speech, "input_cost_per_second": 0.1, "output_cost_per_second": 0.2}
    assert "zero or none" in why_not(both)


def test_a_part_at_zero_costs_what_its_whole_does() -> None:
    rates = read_one({**PRICED, "cache_read_input_token_cost": 0, "input_cost_per_audio_token": 0})
    assert (rates.cache_read, rates.units) == (None, ())
    hit = read_one({**PRICED, "input_cost_per_token_cache_hit": 1e-07})
    assert hit.cache_read == 100_000


@pytest.mark.parametrize(
    ("name", "said", "provider", "model", "context"),
    [
        ("azure/gpt-9", "azure", "azure", "gpt-9", ()),
        ("azure/us/gpt-9", "azure", "azure", "gpt-9", (("region", "us"),)),
        ("azure/global-standard/gpt-9", "azure", "azure", "gpt-9", (("region", "global"),)),
        ("azure_ai/claude-9", "azure_ai", "azure", "claude-9", ()),
        ("us.anthropic.claude-9-v1:0", "bedrock_converse", "aws", "us.anthropic.claude-9-v1:0", ()),
        ("bedrock/us-gov-west-1/lab.m", "bedrock", "aws", "lab.m", (("region", "us-gov-west-1"),)),
        ("bedrock_mantle/openai.gpt-9", "bedrock_mantle", "aws", "openai.gpt-9", ()),
        ("gemini/gemini-9", "gemini", "google", "gemini-9", ()),
        ("gemini-9", "vertex_ai-language-models", "google", "gemini-9", ()),
        ("vertex_ai/meta/llama-9", "vertex_ai-llama_models", "google", "meta/llama-9", ()),
        ("xai/grok-9", "xai", "x-ai", "grok-9", ()),
        ("groq/openai/gpt-oss", "groq", "groq", "openai/gpt-oss", ()),
        ("together_ai/lab/m", "together_ai", "together", "lab/m", ()),
        ("fireworks_ai/accounts/fireworks/models/m", "fireworks_ai", "fireworks",
         "accounts/fireworks/models/m", ()),
        ("deepinfra/anthropic/claude-9", "deepinfra", "deepinfra", "anthropic/claude-9", ()),
        ("perplexity/openai/gpt-9", "perplexity", "perplexity", "openai/gpt-9", ()),
        ("gpt-9-instruct", "text-completion-openai", "openai", "gpt-9-instruct", ()),
        ("some_lab/M", "Some_Lab", "some-lab", "M", ()),
    ],
)  # fmt: skip
def test_names_lose_the_prefix_of_their_seller_and_no_more(
    name: str, said: str, provider: str, model: str, context: Context
) -> None:
    found = ADAPTER.read(json.dumps({name: {**PRICED, "litellm_provider": said}}).encode(), "v")
    (listed,) = found.prices
    assert (listed.provider, listed.model, listed.context) == (provider, model, context)


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("low/1024-x-1024/picture", "openai", "images of one size"),
        ("1024-x-1024/50-steps/bedrock/lab.picture", "bedrock", "images of one size"),
        ("together-ai-21.1b-41b", "together_ai", "all models of some size"),
        ("bedrock/us-east-1/6-month-commitment/m", "bedrock", "neither a model nor a region"),
        ("bedrock/claude_platform/claude-9", "bedrock", "neither a model nor a region"),
        ("azure/speech/tts", "azure", "neither a model nor a region"),
        ("m", None, "does not say who sells it"),
        ("m", 5, "its name is not text"),
        ("a" * 257, "openai", "its name"),
    ],
)
def test_what_would_have_to_be_guessed_is_left_out(name: str, said: object, why: str) -> None:
    entries = {"other": PRICED, name: {**PRICED, "litellm_provider": said}}
    found = ADAPTER.read(json.dumps(entries).encode(), "v")
    assert [listed.model for listed in found.prices] == ["other"]
    assert why in found.skipped[0].why


def test_the_seller_s_own_interface_wins_over_another_way_to_the_model(feed: Feed) -> None:
    # gemini/long-1 and vertex_ai/long-1 say different prices of Google's model
    assert rates_of(feed, "google", "long-1").input == ((0, 1_250_000), (200_001, 2_500_000))
    assert [each.place for each in feed.skipped if "more than once" in each.why] == [
        "google/long-1"
    ]


def test_an_alias_has_the_prices_of_its_model(feed: Feed) -> None:
    named = rates_of(feed, "openai", "small-latest")
    assert named._replace(model="small-1") == rates_of(feed, "openai", "small-1")
    assert why_not({"alias_of": "nobody"}) == "an alias of a model that is not listed"
    assert why_not({"alias_of": ["other"]}) == "an alias of a model that is not listed"


def test_zeros_are_no_price_unless_it_is_certain_that_the_model_is_free(feed: Feed) -> None:
    assert rates_of(feed, "ollama", "llama9")[:2] == (0, 0)
    free = {**CHAT, "input_cost_per_token": 0, "output_cost_per_token": 0.0}
    assert read_one(free, "lab/m:free")[:2] == (0, 0)
    assert "all zero or none" in why_not(free)
    assert "no price of input and output" in why_not(CHAT)
    assert "no price of input and output" in why_not({**CHAT, "input_cost_per_token": 1e-06})
    # Searches alone do not make a model that writes a priced one.
    assert "all zero" in why_not({**free, "input_cost_per_query": 0.01})


def test_an_embedder_has_no_output_to_pay_for() -> None:
    entry = {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08}
    assert read_one(entry)[:2] == (20_000, 0)


@pytest.mark.parametrize("price", [-1e-06, True, "1e-06", "free", [], {}, 1e30])
def test_an_odd_price_leaves_the_whole_model_out(price: object) -> None:
    assert "a price is" in why_not({**PRICED, "output_cost_per_reasoning_token": price})
    assert "a price is" in why_not({**PRICED, "search_context_cost_per_query": {"a": price}})


def test_a_model_or_a_price_that_is_there_twice_is_left_out() -> None:
    one, other = json.dumps(PRICED), json.dumps({**PRICED, "input_cost_per_token": 5e-06})
    found = ADAPTER.read(f'{{"a": {one}, "b": {one}, "a": {other}}}'.encode(), "v")
    assert [listed.model for listed in found.prices] == ["b"]
    assert found.skipped[0].why == "given twice, differently"
    twice = one.replace("}", ', "input_cost_per_token": 9e-06}')
    found = ADAPTER.read(f'{{"a": {twice}, "b": {one}}}'.encode(), "v")
    assert found.skipped[0].why == "a price is given twice, differently"


def test_what_models_can_do_comes_with_them(feed: Feed) -> None:
    assert feed.capabilities["openai", "small-1"] == Capabilities(
        context_window=272_000,
        max_output_tokens=128_000,
        mode="chat",
        tools=True,
        vision=True,
        audio=False,
        json=True,
        batch=True,
        retired_us=1_796_947_200_000_000,  # 11 December 2026
    )
    # Known even of a model without a price.
    assert feed.capabilities["lab", "preview-1"] == Capabilities(mode="chat")


def test_the_map_of_an_installed_litellm_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "__init__.py").write_text("raise AssertionError('imported')")
    spec = ModuleSpec("litellm", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr("budget.prices.sources.litellm.find_spec", lambda _: spec)
    assert installed_map() is None  # this LiteLLM has no map
    (tmp_path / "model_prices_and_context_window_backup.json").write_bytes(dumped(LITELLM))
    assert installed_map() == dumped(LITELLM)


def test_without_litellm_there_is_no_installed_map() -> None:
    if importlib.util.find_spec("litellm") is None:
        assert installed_map() is None

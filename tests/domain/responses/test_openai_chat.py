"""OpenAI's chat shape, and what those who copied it do otherwise."""

import copy
from decimal import Decimal
from typing import Any

import genai_prices
import pytest

from budget.domain.responses import Stream, Told, usage_of
from budget.domain.usage import Usage
from tests.domain.responses.samples import CHAT, CHAT_STREAM, EMBEDDINGS, OPENROUTER, Json


def _chat(**usage: Any) -> Json:
    return {**CHAT, "usage": usage}


def _usage(response: Json, provider: str | None = None) -> Usage:
    told = usage_of(response, provider=provider)
    assert told.usage is not None
    return told.usage


def _theirs(response: Json, provider: str, api: str) -> Any:
    """What genai-prices extracts; without a model, of which it would ask the price."""
    nameless = {name: value for name, value in response.items() if name != "model"}
    return genai_prices.extract_usage(nameless, provider_id=provider, api_flavor=api).usage


def test_a_chat_completion_includes_what_was_cached_and_what_was_thought() -> None:
    # 1000 in, of which 600 read and 100 written; 300 out, of which 250 thought
    assert usage_of(CHAT) == Told(
        Usage(1000, 300, 600, 100, 0, 250),
        "gpt-5.1-2025-11-13",
        "chatcmpl-1",
        complete=True,
        service_tier="default",
    )


@pytest.mark.parametrize("provider", ["openai", "azure", "groq", "mistral", "openrouter"])
def test_ours_is_what_genai_prices_reads(provider: str) -> None:
    api = "default" if provider in ("groq", "mistral") else "chat"
    theirs = _theirs(CHAT, provider, api)
    ours = _usage(CHAT, provider)
    assert (theirs.input_tokens, theirs.output_tokens) == (ours.input_tokens, ours.output_tokens)
    assert theirs.cache_read_tokens == ours.cache_read_tokens == 600
    assert theirs.output_reasoning_tokens == ours.reasoning_tokens == 250


def test_embeddings_have_an_input_only() -> None:
    assert usage_of(EMBEDDINGS) == Told(Usage(8, 0), "text-embedding-3-small", complete=True)
    assert _theirs(EMBEDDINGS, "openai", "embeddings").input_tokens == 8
    only_total = {**EMBEDDINGS, "usage": {"total_tokens": 9}}  # genai-prices: an error
    assert usage_of(only_total).usage == Usage(9, 0)


def test_audio_and_images_are_parts_and_audio_that_may_be_cached_is_cut_to_the_rest() -> None:
    response = _chat(
        prompt_tokens=150,
        completion_tokens=60,
        prompt_tokens_details={"cached_tokens": 100, "audio_tokens": 80, "image_tokens": 5},
        completion_tokens_details={"audio_tokens": 40, "image_tokens": 10},
    )
    # 150 - 100 cached leave 50, all of it audio
    units = (("input_audio_tokens", 50), ("output_audio_tokens", 40), ("output_image_tokens", 10))
    assert usage_of(response).usage == Usage(150, 60, 100, units=units)
    assert usage_of(response).complete


def test_deepseek_names_its_cache_hits_at_the_top() -> None:
    response = _chat(
        prompt_tokens=100,
        completion_tokens=5,
        total_tokens=105,
        prompt_cache_hit_tokens=64,
        prompt_cache_miss_tokens=36,
    )
    assert _usage(response, "deepseek") == Usage(100, 5, 64)
    theirs = _theirs(response, "deepseek", "chat")
    assert not theirs.cache_read_tokens  # it knows the details only: so ours differs


def test_reasoning_beside_the_completion_is_seen_in_the_total_or_by_the_name_of_xai() -> None:
    apart: Json = {"completion_tokens_details": {"reasoning_tokens": 40}}
    seen = _chat(prompt_tokens=10, completion_tokens=5, total_tokens=55, **apart)
    assert _usage(seen) == _usage(seen, "xai") == Usage(10, 45, reasoning_tokens=40)
    theirs = _theirs(seen, "x-ai", "chat")
    assert theirs.output_tokens == 45
    no_total = _chat(prompt_tokens=10, completion_tokens=50, **apart)
    assert _usage(no_total, "x-ai") == Usage(10, 90, reasoning_tokens=40)
    assert _usage(no_total) == Usage(10, 50, reasoning_tokens=40)
    # Should xAI include it one day, the total says so: genai-prices would count it twice.
    within = _chat(prompt_tokens=10, completion_tokens=50, total_tokens=60, **apart)
    assert _usage(within, "xai") == Usage(10, 50, reasoning_tokens=40)
    theirs = _theirs(within, "x-ai", "chat")
    assert theirs.output_tokens == 90


def test_geminis_thoughts_are_only_in_the_total_of_its_openai_endpoint() -> None:
    response = _chat(prompt_tokens=10, completion_tokens=5, total_tokens=40)  # 40 - 15 = 25
    assert usage_of(response, provider="google").usage == Usage(10, 30, reasoning_tokens=25)
    told = usage_of(response)  # of anybody else we do not know what is missing
    assert told.usage == Usage(10, 5)
    assert not told.complete


def test_voxtral_counts_seconds_of_audio_and_mistrals_ocr_pages() -> None:
    response = _chat(prompt_audio_seconds=3, prompt_tokens=4, completion_tokens=6, total_tokens=50)
    told = usage_of(response, provider="mistral")
    assert told.usage == Usage(4, 6, units=(("milliseconds", 3000),))
    assert told.complete
    assert usage_of(_chat(prompt_audio_seconds={}, prompt_tokens=4, completion_tokens=6)).complete
    ocr = {"model": "mistral-ocr", "pages": [], "usage_info": {"pages_processed": 7}}
    assert usage_of(ocr).usage == Usage(0, 0, units=(("pages", 7),))
    assert usage_of(ocr).complete


def test_openrouter_tells_its_cost_exactly() -> None:
    told = usage_of(OPENROUTER)
    assert told.usage == Usage(2000, 100, 1500, 400)
    assert told.reported_cost_nanos == 1_230_000  # 0.00123 USD
    assert usage_of(OPENROUTER, provider="openai").reported_cost_nanos is None


@pytest.mark.parametrize(
    ("cost", "nanos"),
    [
        (0, 0),
        (2, 2_000_000_000),
        (0.1, 100_000_000),  # the float is a little more than a tenth
        (1e-9, 1),
        (1.5e-9, 2),  # rounded up
        (1e-300, 1),
        ("0.000001", 1_000),
        (Decimal("0.1234567891"), 123_456_790),
        (Decimal("1e-999999999"), 1),
        (1e6, 10**15),
        (1_000_001, None),
        (Decimal("1e999999999"), None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (float("inf"), None),
        (-0.5, None),
        (True, None),
        ("free", None),
        ("9" * 65, None),
        ([1], None),
    ],
)
def test_a_cost_is_read_from_whatever_number_it_is(cost: object, nanos: int | None) -> None:
    response = {**OPENROUTER, "usage": {**OPENROUTER["usage"], "cost": cost}}
    assert usage_of(response).reported_cost_nanos == nanos


def test_with_a_key_of_ones_own_the_providers_price_is_added_to_the_fee() -> None:
    response = copy.deepcopy(OPENROUTER)
    response["usage"] |= {
        "cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02},
    }  # fmt: skip
    assert usage_of(response).reported_cost_nanos == 21_000_000  # 0.001 + 0.02
    response["usage"]["is_byok"] = False  # the same figure is then only repeated
    assert usage_of(response).reported_cost_nanos == 1_000_000


def test_a_stream_tells_with_its_last_chunk_which_has_no_choices() -> None:
    stream = Stream()
    for chunk in CHAT_STREAM[:-1]:
        stream.take(chunk)
        assert stream.told() == Told(None, "gpt-4o", "chatcmpl-2")
    stream.take(CHAT_STREAM[-1])
    assert stream.told() == Told(Usage(50, 7), "gpt-4o", "chatcmpl-2", complete=True)


def test_running_figures_count_up_and_are_final_only_with_the_end() -> None:
    def chunk(made: int, reason: str | None) -> Json:
        choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": reason}
        return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": made}}

    stream = Stream(provider="xai")
    for made in (1, 2, 3):
        stream.take(chunk(made, None))
        assert stream.told() == Told(Usage(9, made))
    stream.take(chunk(4, "stop"))  # as Mistral, DeepSeek and xAI end
    assert stream.told() == Told(Usage(9, 4), complete=True)
    stream.take(chunk(5, None))  # another choice went on
    assert stream.told() == Told(Usage(9, 5))


def test_openrouters_last_chunk_may_have_a_choice_with_nothing_in_it() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "cost": 0.5}
    text = {"choices": [{"delta": {"content": "Yes."}, "finish_reason": None}]}
    end = {"choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]}
    last = {
        "choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
        "usage": usage,
    }
    told = usage_of([text, end, last], provider="openrouter")
    assert told == Told(Usage(9, 4), reported_cost_nanos=500_000_000, complete=True)
    assert not usage_of([text, last]).complete  # the end has not come


def test_zeros_that_hold_a_place_never_win() -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    first = {"choices": [], "usage": zeros}
    assert usage_of(first) == Told()
    real = CHAT_STREAM[-1]
    told = Told(Usage(50, 7), "gpt-4o", "chatcmpl-2", complete=True)
    assert usage_of([first, real]) == told
    assert usage_of([first, real, first]) == told


def test_an_input_that_holds_a_place_leaves_the_answer_incomplete() -> None:
    told = usage_of(_chat(prompt_tokens=0, completion_tokens=7))
    assert told.usage == Usage(0, 7)
    assert not told.complete


def test_groqs_older_streams_have_it_in_a_corner() -> None:
    last = {
        "id": "chatcmpl-3",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        "x_groq": {"id": "req_1", "usage": {"prompt_tokens": 20, "completion_tokens": 4}},
    }
    assert usage_of(last) == Told(Usage(20, 4), None, "chatcmpl-3", complete=True)


def test_more_cached_than_there_was_gets_no_discount() -> None:
    told = usage_of(
        _chat(prompt_tokens=100, completion_tokens=1, prompt_tokens_details={"cached_tokens": 101})
    )
    assert told.usage == Usage(100, 1)  # all at the full rate
    assert not told.complete


def test_more_written_to_the_cache_than_there_was_is_cut_to_all_of_it() -> None:
    details = {"cache_write_tokens": 500, "cached_tokens": 20}
    told = usage_of(_chat(prompt_tokens=100, completion_tokens=1, prompt_tokens_details=details))
    assert told.usage == Usage(100, 1, 0, 100)  # the dearer rate, and no room for a discount
    assert not told.complete


def test_more_reasoning_than_output_is_taken_for_billed_beside_it() -> None:
    details = {"reasoning_tokens": 30}
    told = usage_of(_chat(prompt_tokens=9, completion_tokens=2, completion_tokens_details=details))
    assert told.usage == Usage(9, 32, reasoning_tokens=30)
    assert not told.complete


@pytest.mark.parametrize(
    "wrong", [-1, 1.5, float("nan"), float("inf"), "12", True, [], {"a": 1}, 10**13, 10**400]
)
def test_a_count_that_cannot_be_true_is_absent_and_the_answer_incomplete(wrong: object) -> None:
    told = usage_of(_chat(prompt_tokens=wrong, completion_tokens=2))
    assert told.usage == Usage(0, 2)
    assert not told.complete


def test_a_bad_figure_is_forgiven_when_a_good_one_follows() -> None:
    bad = {"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": -1}}
    assert usage_of([bad]) == Told()
    assert usage_of([bad, CHAT_STREAM[-1]]).complete


def test_litellm_tells_of_cache_writes_by_how_long_they_last() -> None:
    usage = {
        "prompt_tokens": 37, "completion_tokens": 5, "total_tokens": 42,
        "prompt_tokens_details": {
            "cached_tokens": 20, "cache_creation_tokens": 7,
            "cache_creation_token_details": {
                "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4
            },
        },
    }  # fmt: skip
    told = usage_of({"choices": [{"finish_reason": "stop"}], "usage": usage}, api="chat")
    assert told.usage == Usage(37, 5, 20, 3, 4)

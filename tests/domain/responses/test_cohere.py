"""Cohere, which bills other units than its models see."""

import genai_prices

from budget.domain.responses import Stream, Told, usage_of
from budget.domain.usage import Usage
from tests.domain.responses.samples import COHERE, COHERE_STREAM, COHERE_V1


def test_what_is_billed_goes_before_what_the_model_saw() -> None:
    assert usage_of(COHERE) == Told(Usage(5, 9), None, "c-2", complete=True)
    theirs = genai_prices.extract_usage(COHERE, provider_id="cohere").usage
    assert (theirs.input_tokens, theirs.output_tokens) == (5, 9)


def test_version_1_has_it_in_meta_with_searches() -> None:
    # genai-prices does not know version 1 of chat
    assert usage_of(COHERE_V1) == Told(
        Usage(5, 9, units=(("searches", 1),)), None, "c-1", complete=True
    )
    end = {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": COHERE_V1}
    start = {"event_type": "stream-start", "generation_id": "g-1"}
    assert not usage_of([start]).complete
    assert usage_of([start, end]).usage == Usage(5, 9, units=(("searches", 1),))
    assert usage_of([start, end]).complete


def test_tokens_count_where_nothing_is_said_of_billing() -> None:
    usage = {"tokens": {"input_tokens": 71, "output_tokens": 12}, "cached_tokens": 64}
    assert usage_of({**COHERE, "usage": usage}).usage == Usage(71, 12, 64)
    theirs = genai_prices.extract_usage(
        {**COHERE, "usage": usage}, provider_id="cohere", api_flavor="tokens"
    )
    assert theirs.usage.cache_read_tokens == 64


def test_more_cached_than_billed_is_no_discount_and_no_contradiction() -> None:
    usage = {**COHERE["usage"], "cached_tokens": 64}
    assert usage_of({**COHERE, "usage": usage}) == usage_of(COHERE)


def test_embeddings_and_rankings_make_no_text() -> None:
    embedded = {"id": "e-1", "embeddings": {}, "meta": {"billed_units": {"input_tokens": 4}}}
    assert usage_of(embedded) == Told(Usage(4, 0), None, "e-1", complete=True)
    mixed = {"embeddings": {}, "meta": {"billed_units": {"input_tokens": 4, "image_tokens": 6}}}
    assert usage_of(mixed).usage == Usage(10, 0, units=(("input_image_tokens", 6),))
    ranked = {"id": "r-1", "results": [], "meta": {"billed_units": {"search_units": 3}}}
    units = (("searches", 3),)
    assert usage_of(ranked) == Told(Usage(0, 0, units=units), None, "r-1", complete=True)


def test_a_stream_tells_with_the_end_of_its_message() -> None:
    stream = Stream()
    for event in COHERE_STREAM[:-1]:
        stream.take(event)
        assert stream.told() == Told(None, None, "c-3")
    stream.take(COHERE_STREAM[-1])
    assert stream.told() == Told(Usage(6, 2), None, "c-3", complete=True)


def test_the_api_called_chat_is_cohere_own_or_openais_as_its_marks_say() -> None:
    assert usage_of(COHERE, provider="cohere", api="chat") == usage_of(COHERE)
    compatible = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    assert usage_of(compatible, provider="cohere", api="chat").usage == Usage(3, 2)

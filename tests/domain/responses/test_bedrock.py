"""Bedrock's Converse, whose input excludes the cache."""

import genai_prices

from budget.domain.responses import Stream, Told, usage_of
from budget.domain.usage import Usage
from tests.domain.responses.samples import CONVERSE, CONVERSE_STREAM, MESSAGE


def test_what_was_cached_is_added_to_the_input() -> None:
    # 100 + 600 read + 300 written; 200 of the writes for an hour
    assert usage_of(CONVERSE) == Told(
        Usage(1000, 20, 600, 100, 200), complete=True, service_tier="priority"
    )
    theirs = genai_prices.extract_usage(CONVERSE, provider_id="aws").usage
    assert (theirs.input_tokens, theirs.output_tokens) == (1000, 20)
    assert (theirs.cache_read_tokens, theirs.cache_write_tokens) == (600, 300)
    assert theirs.cache_write_1h_tokens == 200


def test_several_writes_of_one_hour_add_up() -> None:
    details = [{"ttl": "1h", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 30}]
    usage = {
        "inputTokens": 10, "outputTokens": 1, "cacheWriteInputTokens": 50, "cacheDetails": details,
    }  # fmt: skip
    assert usage_of({"usage": usage}).usage == Usage(60, 1, 0, 0, 50)
    theirs = genai_prices.extract_usage({"usage": usage}, provider_id="aws").usage
    assert theirs.cache_write_1h_tokens == 20  # the first only: so ours differs


def test_a_stream_tells_with_its_metadata() -> None:
    stream = Stream(provider="bedrock", api="converse")
    for event in CONVERSE_STREAM[:-1]:
        stream.take(event)
        assert stream.told() == Told()
    stream.take(CONVERSE_STREAM[-1])
    assert stream.told() == Told(Usage(12, 3), complete=True)


def test_the_metadata_may_come_without_its_name_as_in_an_event_stream() -> None:
    events = [{"role": "assistant"}, {"stopReason": "end_turn"}, CONVERSE_STREAM[-1]["metadata"]]
    assert usage_of(events, provider="bedrock") == Told(Usage(12, 3), complete=True)


def test_what_a_model_answers_itself_has_its_makers_shape() -> None:
    assert usage_of(MESSAGE, provider="bedrock") == usage_of(MESSAGE)


def test_a_missing_input_leaves_the_answer_incomplete() -> None:
    told = usage_of({"usage": {"outputTokens": 3, "cacheReadInputTokens": 4}})
    assert told.usage == Usage(4, 3, 4)
    assert not told.complete

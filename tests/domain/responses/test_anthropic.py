"""Anthropic's messages, whose input excludes the cache."""

import genai_prices
import pytest

from budget.domain.responses import Stream, Told, usage_of
from budget.domain.usage import Usage
from tests.domain.responses.samples import MESSAGE, MESSAGE_STREAM, Json


def _message(**usage: object) -> Json:
    return {**MESSAGE, "usage": usage}


def test_what_was_cached_is_added_to_the_input() -> None:
    # 10 + 2000 read + 700 written = 2710; 300 of the writes for 5 minutes, 400 for an hour
    assert usage_of(MESSAGE) == Told(
        Usage(2710, 50, 2000, 300, 400, 30, units=(("searches", 2),)),
        "claude-sonnet-4-5-20250929",
        "msg_1",
        complete=True,
        service_tier="standard",
        speed="fast",
        inference_geo="us",
    )
    theirs = genai_prices.extract_usage(MESSAGE, provider_id="anthropic").usage
    assert (theirs.input_tokens, theirs.output_tokens) == (2710, 50)
    assert theirs.cache_read_tokens == 2000
    assert theirs.output_reasoning_tokens == 30
    assert theirs.web_searches == 2


@pytest.mark.parametrize("flat", [{}, {"cache_creation_input_tokens": 0}])
def test_the_split_counts_where_the_flat_total_is_missing_or_zero(flat: Json) -> None:
    split = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 40}
    response = _message(input_tokens=10, output_tokens=5, cache_creation=split, **flat)
    assert usage_of(response).usage == Usage(80, 5, 0, 30, 40)  # 10 + 30 + 40
    theirs = genai_prices.extract_usage(response, provider_id="anthropic").usage
    assert theirs.input_tokens == 10  # so ours differs: the writes are billed


def test_writes_that_the_split_does_not_name_are_of_five_minutes() -> None:
    flat = _message(input_tokens=10, output_tokens=5, cache_creation_input_tokens=70)
    assert usage_of(flat).usage == Usage(80, 5, 0, 70)
    flat["usage"]["cache_creation"] = {"ephemeral_1h_input_tokens": 20}
    assert usage_of(flat).usage == Usage(80, 5, 0, 50, 20)


def test_the_turns_behind_one_message_are_all_billed() -> None:
    turns = [
        {"type": "compaction", "input_tokens": 1000, "output_tokens": 90},
        {"type": "message", "input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3},
    ]
    response = _message(
        input_tokens=10, output_tokens=5, cache_read_input_tokens=3, iterations=turns
    )
    # 1000 + 10 + 3 in, 90 + 5 out; the top tells the last turn only
    assert usage_of(response).usage == Usage(1013, 95, 3)
    theirs = genai_prices.extract_usage(response, provider_id="anthropic").usage
    assert theirs.input_tokens == 13  # so ours differs


def test_a_stream_is_complete_when_the_message_stops() -> None:
    stream = Stream(provider="anthropic")
    outputs = []
    for event in MESSAGE_STREAM[:-1]:
        stream.take(event)
        told = stream.told()
        assert told.usage is not None
        assert told.usage.input_tokens == 125  # 25 + 100 read
        assert not told.complete
        outputs.append(told.usage.output_tokens)
    assert outputs == [1, 1, 1, 1, 1, 8, 15]
    stream.take(MESSAGE_STREAM[-1])
    assert stream.told() == Told(Usage(125, 15, 100), "claude-haiku-4-5", "msg_2", complete=True)


def test_a_stream_that_stops_without_its_output_is_incomplete() -> None:
    told = usage_of([MESSAGE_STREAM[0], MESSAGE_STREAM[-1]])
    assert told.usage == Usage(125, 1, 100)
    assert not told.complete


def test_a_delta_may_tell_more_input_than_the_start_knew() -> None:
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 900, "cache_read_input_tokens": 0, "output_tokens": 15},
    }
    told = usage_of([MESSAGE_STREAM[0], delta, MESSAGE_STREAM[-1]])
    assert told.usage == Usage(1000, 15, 100)  # 900 + the 100 read that the start told
    assert told.complete


def test_a_bad_input_leaves_what_was_cached() -> None:
    told = usage_of(_message(input_tokens=-4, output_tokens=5, cache_read_input_tokens=20))
    assert told.usage == Usage(20, 5, 20)
    assert not told.complete


def test_a_message_without_usage_tells_only_who_answered() -> None:
    response = {name: value for name, value in MESSAGE.items() if name != "usage"}
    assert usage_of(response) == Told(None, "claude-sonnet-4-5-20250929", "msg_1")

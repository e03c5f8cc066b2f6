"""OpenAI's responses, realtime, images and transcriptions."""

from typing import Any

import genai_prices
import pytest

from budget.domain.responses import Stream, Told, usage_of
from budget.domain.usage import Usage
from tests.domain.responses.samples import IMAGES, REALTIME, RESPONSE, RESPONSE_STREAM, Json

# 500 in, of which 200 read and 50 written; 90 out, of which 64 thought
_TOLD = Told(
    Usage(500, 90, 200, 50, 0, 64), "gpt-5.1", "resp_1", complete=True, service_tier="flex"
)


def _theirs(response: Json, api: str) -> Any:
    return genai_prices.extract_usage(response, provider_id="openai", api_flavor=api).usage


def test_a_response_includes_what_was_cached_and_what_was_thought() -> None:
    assert usage_of(RESPONSE) == _TOLD
    theirs = _theirs(RESPONSE, "responses")
    assert (theirs.input_tokens, theirs.output_tokens) == (500, 90)
    assert (theirs.cache_read_tokens, theirs.cache_write_tokens) == (200, 50)
    assert theirs.output_reasoning_tokens == 64


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed"])
def test_a_stream_tells_with_the_event_that_ends_it(end: str) -> None:
    stream = Stream()
    for event in RESPONSE_STREAM[:-1]:
        stream.take(event)
        assert stream.told() == Told(None, "gpt-5.1", "resp_1")
    stream.take({"type": f"response.{end}", "response": {**RESPONSE, "status": end}})
    assert stream.told() == _TOLD


def test_a_response_under_way_is_not_complete() -> None:
    assert not usage_of({**RESPONSE, "status": "in_progress"}).complete
    assert not usage_of({"type": "response.in_progress", "response": RESPONSE}).complete
    queued = {**RESPONSE, "status": "queued", "usage": None}
    assert usage_of(queued) == Told(None, "gpt-5.1", "resp_1", service_tier="flex")


def test_realtime_tells_audio_and_images_cached_or_not() -> None:
    # audio 180 of which 90 cached, images 20 of which 10 cached, text the rest
    units = (
        ("cache_read_audio_tokens", 90),
        ("cache_read_image_tokens", 10),
        ("input_audio_tokens", 90),
        ("input_image_tokens", 10),
        ("output_audio_tokens", 70),
    )
    told = usage_of(REALTIME)
    assert told == Told(Usage(300, 100, 150, units=units), None, "resp_r1", complete=True)
    theirs = _theirs(REALTIME, "realtime")
    # Theirs counts cached audio in both; ours in one, as the price has it.
    assert (theirs.input_audio_tokens, theirs.cache_audio_read_tokens) == (180, 90)
    assert (theirs.input_tokens, theirs.output_tokens) == (300, 100)


def test_the_responses_of_one_realtime_connection_add_up() -> None:
    other = {**REALTIME, "response": {**REALTIME["response"], "id": "resp_r2"}}
    again = usage_of([REALTIME, other, other])  # the second one came twice, and counts once
    assert again.usage is not None
    assert again.usage[:3] == (600, 200, 300)
    assert again.usage.requests == 2
    assert again.complete


def test_a_realtime_response_that_has_begun_leaves_the_answer_incomplete() -> None:
    begun = {
        "type": "response.created",
        "response": {"id": "resp_r2", "object": "realtime.response", "usage": None},
    }
    done = {**REALTIME, "response": {**REALTIME["response"], "id": "resp_r2"}}
    stream = Stream(provider="openai", api="realtime")
    counted = []
    for event in (REALTIME, begun, done):
        stream.take(event)
        told = stream.told()
        assert told.usage is not None
        counted.append((told.usage.input_tokens, told.response_id, told.complete))
    assert counted == [(300, "resp_r1", True), (300, "resp_r1", False), (600, "resp_r2", True)]


def test_a_transcription_inside_a_realtime_connection_is_another_models() -> None:
    heard = {
        "type": "conversation.item.input_audio_transcription.completed",
        "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 3},
    }
    assert usage_of([REALTIME, heard]) == usage_of(REALTIME)


def test_images_are_tokens_where_tokens_are_told() -> None:
    units = (("input_image_tokens", 40), ("output_image_tokens", 272))
    assert usage_of(IMAGES) == Told(Usage(60, 272, units=units), complete=True)
    theirs = _theirs(IMAGES, "images")
    assert (theirs.input_tokens, theirs.output_tokens) == (60, 272)
    assert (theirs.input_image_tokens, theirs.output_image_tokens) == (40, 272)
    partial = {"type": "image_generation.partial_image", "b64_json": "AAAA"}
    end = {"type": "image_generation.completed", "b64_json": "AAAA", "usage": IMAGES["usage"]}
    assert usage_of([partial]) == Told()
    assert usage_of([partial, end]) == usage_of(IMAGES)


def test_images_without_usage_are_counted() -> None:
    response = {"created": 1, "data": [{"url": "https://a.example/1"}, {"b64_json": "AAAA"}]}
    assert usage_of(response) == Told(Usage(0, 0, units=(("images", 2),)), complete=True)


def test_transcriptions_are_billed_by_tokens_or_by_time() -> None:
    tokens = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 3,
    }
    told = Told(Usage(14, 3, units=(("input_audio_tokens", 10),)), complete=True)
    assert usage_of({"text": "Yes.", "usage": tokens}) == told
    assert usage_of([{"type": "transcript.text.done", "usage": tokens}]) == told
    time = {"text": "Yes.", "usage": {"type": "duration", "seconds": 9}}
    assert usage_of(time) == Told(Usage(0, 0, units=(("milliseconds", 9000),)), complete=True)


def test_openrouters_responses_tell_their_cost() -> None:
    response = {**RESPONSE, "usage": {**RESPONSE["usage"], "cost": 0.25}}
    assert usage_of(response, provider="openrouter").reported_cost_nanos == 250_000_000


def test_a_missing_output_leaves_the_answer_incomplete() -> None:
    told = usage_of({**RESPONSE, "usage": {"input_tokens": 5}})
    assert told.usage == Usage(5, 0)
    assert not told.complete

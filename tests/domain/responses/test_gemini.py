"""Gemini, whose thoughts come beside the candidates."""

import genai_prices

from budget.domain.responses import Stream, Told, usage_of
from budget.domain.usage import Usage
from tests.domain.responses.samples import GEMINI, GEMINI_STREAM, Json


def _gemini(**usage: object) -> Json:
    return {**GEMINI, "usageMetadata": usage}


def test_tools_are_added_to_the_input_and_thoughts_to_the_output() -> None:
    # 1000 + 50 in; 80 + 120 out. Audio 300, of which 100 cached; images 200 + 60 of documents.
    units = (
        ("cache_read_audio_tokens", 100),
        ("input_audio_tokens", 200),
        ("input_image_tokens", 260),
    )
    assert usage_of(GEMINI) == Told(
        Usage(1050, 200, 400, reasoning_tokens=120, units=units),
        "gemini-2.5-pro",
        "r-1",
        complete=True,
    )
    theirs = genai_prices.extract_usage(GEMINI, provider_id="google").usage
    assert (theirs.input_tokens, theirs.output_tokens) == (1050, 200)
    assert (theirs.cache_read_tokens, theirs.output_reasoning_tokens) == (400, 120)
    # Theirs counts the cached audio in both; images as ours.
    assert (theirs.input_audio_tokens, theirs.cache_audio_read_tokens) == (300, 100)
    assert theirs.input_image_tokens == 260


def test_a_modality_may_come_twice() -> None:
    details = [{"modality": "IMAGE", "tokenCount": 258}, {"modality": "IMAGE", "tokenCount": 258}]
    response = _gemini(promptTokenCount=600, candidatesTokenCount=1, promptTokensDetails=details)
    assert usage_of(response).usage == Usage(600, 1, units=(("input_image_tokens", 516),))
    theirs = genai_prices.extract_usage(response, provider_id="google").usage
    assert theirs.input_image_tokens == 258  # the first only: so ours differs


def test_images_that_were_made_are_parts_of_the_output() -> None:
    details = [{"modality": "IMAGE", "tokenCount": 1290}]
    response = _gemini(
        promptTokenCount=5, candidatesTokenCount=1300, candidatesTokensDetails=details
    )
    assert usage_of(response).usage == Usage(5, 1300, units=(("output_image_tokens", 1290),))


def test_no_output_is_left_out_of_googles_json() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7},
    }  # fmt: skip
    assert usage_of(blocked) == Told(Usage(7, 0), complete=True)
    embedded = {"embedding": {"values": [0.1]}, "usageMetadata": {"promptTokenCount": 3}}
    assert usage_of(embedded) == Told(Usage(3, 0), complete=True)


def test_the_last_figures_of_a_stream_win_and_what_they_leave_out_stays() -> None:
    stream = Stream()
    outputs = []
    for chunk in GEMINI_STREAM:
        stream.take(chunk)
        told = stream.told()
        assert told.usage is not None
        outputs.append((told.usage.output_tokens, told.complete))
    assert outputs == [(20, False), (20, False), (25, True)]  # 5 + the 20 thoughts told before
    assert stream.told().usage == Usage(30, 25, reasoning_tokens=20)


def test_figures_may_follow_the_reason_why_it_ended() -> None:
    end = {"candidates": [{"finishReason": "STOP"}]}
    last = {"usageMetadata": {"promptTokenCount": 30, "candidatesTokenCount": 6}}
    assert not usage_of([GEMINI_STREAM[0], end]).complete  # those of the first chunk are not final
    told = usage_of([GEMINI_STREAM[0], end, last])
    assert told.usage == Usage(30, 26, reasoning_tokens=20)
    assert told.complete


def test_a_stream_may_come_as_one_list() -> None:
    assert usage_of(GEMINI_STREAM, provider="google").complete
    assert not usage_of(GEMINI_STREAM[:2], provider="google").complete


def test_without_the_prompt_it_is_incomplete() -> None:
    told = usage_of(_gemini(candidatesTokenCount=9))
    assert told.usage == Usage(0, 9)
    assert not told.complete


def test_parts_beyond_their_wholes_are_cut() -> None:
    response = _gemini(
        promptTokenCount=10,
        candidatesTokenCount=9,
        cachedContentTokenCount=11,
        promptTokensDetails=[{"modality": "AUDIO", "tokenCount": 12}],
    )
    told = usage_of(response)
    assert told.usage == Usage(10, 9, units=(("input_audio_tokens", 10),))  # and no discount
    assert not told.complete

"""The most that images and audio may use, by what is asked; figures worked out by hand."""

from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.gateway.formats import openai_media
from budget.gateway.formats.multipart import File

SIZES = [
    ("1024x1024", "low", 272), ("1024x1024", "medium", 1056), ("1024x1024", "high", 4160),
    ("1024x1536", "low", 408), ("1536x1024", "medium", 1584), ("1024x1536", "high", 6240),
    ("auto", "auto", 6240), (None, None, 6240),
]  # fmt: skip
"""OpenAI's table of output tokens; what is left to the model is the dearest."""


@pytest.mark.parametrize(("size", "quality", "tokens"), SIZES)
def test_an_image_is_as_dear_as_its_size_and_quality(size: Any, quality: Any, tokens: int) -> None:
    body = {"model": "gpt-image-1", "prompt": "A cat", "size": size, "quality": quality}
    assert openai_media.images(body).output_tokens == tokens


def test_several_images_and_their_drafts_are_counted_each() -> None:
    most = openai_media.images(
        {"n": "3", "size": "1024x1024", "quality": "low", "partial_images": 2}
    )
    assert most.output_tokens == 3 * (272 + 2 * 100)
    assert most.units["images"] == 3


def test_images_that_are_given_count_however_they_are_given() -> None:
    given: Any = [File(b"one"), File(b"two"), {"image_url": "https://example.com/a.png"}]
    for name in ("image", "images"):
        assert openai_media.images({name: given}).units["input_image_tokens"] == 3 * 8192
    assert openai_media.images({"image": File(b"one"), "mask": File(b"two")}).units[
        "input_image_tokens"
    ] == 2 * 8192  # fmt: skip


@pytest.mark.parametrize("count", ["two", "-1", 1.5, 101, True, "9" * 50])
def test_a_count_that_is_none_is_an_error_that_names_it(count: Any) -> None:
    with pytest.raises(InvalidInput, match="n"):
        openai_media.images({"n": count})


def test_speech_counts_its_characters_whatever_they_are() -> None:
    assert openai_media.speech({"input": "héé"}).units["characters"] == 3
    assert openai_media.speech({"input": None}).units["characters"] == 0


def test_a_recording_that_is_only_referred_to_counts_as_four_hours() -> None:
    most = openai_media.transcription({"model": "whisper", "url": "https://example.com/talk.mp3"})
    assert most.units["milliseconds"] == 4 * 3_600_000


def test_a_chat_that_is_to_be_spoken_is_held_whole_as_audio() -> None:
    most = openai_media.chat_in_audio({"modalities": ["text", "audio"], "max_tokens": 50, "n": 2})
    assert most is not None
    assert (most.output_tokens, dict(most.units)) == (100, {"output_audio_tokens": 100})
    assert openai_media.chat_in_audio({"modalities": ["text"]}) is None

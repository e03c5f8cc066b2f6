"""OpenAI's newer shape: `usage` with `input_tokens` and details, in a response or an event.

Responses, realtime, images, speech and transcriptions, of OpenAI and of Azure, xAI and OpenRouter.
The input includes what was cached, the output includes reasoning. Source: OpenAI's API reference,
and genai-prices' extractors.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape
from budget.domain.responses.reading import (
    EMPTY,
    Counts,
    Fields,
    alike,
    cost_nanos_of,
    counts_of,
    object_at,
    objects_at,
    word_at,
)

# Responses and images say `input_tokens_details`, realtime and transcriptions
# `input_token_details`; their fields do not contradict each other.
_FIELDS: Final[Fields] = (
    ("input", ("input_tokens",)),
    ("output", ("output_tokens",)),
    ("cache_read", ("input_tokens_details", "cached_tokens")),
    ("cache_read", ("input_token_details", "cached_tokens")),
    ("cache_write", ("input_tokens_details", "cache_write_tokens")),
    ("reasoning", ("output_tokens_details", "reasoning_tokens")),
    ("audio", ("input_tokens_details", "audio_tokens")),
    ("audio", ("input_token_details", "audio_tokens")),
    ("image", ("input_tokens_details", "image_tokens")),
    ("image", ("input_token_details", "image_tokens")),
    ("cached_audio", ("input_token_details", "cached_tokens_details", "audio_tokens")),
    ("cached_image", ("input_token_details", "cached_tokens_details", "image_tokens")),
    ("made_audio", ("output_tokens_details", "audio_tokens")),
    ("made_audio", ("output_token_details", "audio_tokens")),
    ("made_image", ("output_tokens_details", "image_tokens")),
)
_SECONDS: Final[Fields] = (("seconds", ("seconds",)),)  # of a transcription billed by time
_ENDS: Final = (
    "response.completed", "response.done", "response.failed", "response.incomplete",
    "image_edit.completed", "image_generation.completed", "speech.audio.done",
    "transcript.text.done",
)  # fmt: skip
_UNDER_WAY: Final = ("in_progress", "queued")


def read(chunk: Mapping[str, Any], provider: str) -> Heard:
    """What a response or an event tells. A connection of realtime has many responses."""
    event = chunk.get("type")
    inner = object_at(chunk, "response") if isinstance(event, str) else {}
    body = inner or chunk
    # Other events tell of other models: a transcription of what was said in a realtime connection.
    ours = not isinstance(event, str) or bool(inner) or event in _ENDS
    usage = object_at(body, "usage") if ours else EMPTY
    known, bad = counts_of(usage, _FIELDS)
    seconds = counts_of(usage, _SECONDS) if usage.get("type") == "duration" else Counts()
    if body.get("usage") is not None and not isinstance(body["usage"], Mapping):
        bad |= {"usage"}
    counts = Counts({**known, **seconds.known}, bad | seconds.bad)
    images = _images(body) if not usage else 0
    if images:
        counts = Counts({"images": images}, counts.bad)
    realtime = body.get("object") == "realtime.response"
    told = any(known.values()) or bool(seconds.known) or bool(images)
    if realtime and told:
        counts = Counts({**counts.known, "requests": 1}, counts.bad)
    # Another response of the connection has begun: its id comes with its figures, lest they be
    # taken for those of the one before.
    begun = realtime and not told and event not in _ENDS
    return Heard(
        counts,
        word_at(body, "model"),
        None if begun else word_at(body, "id"),
        cost_nanos_of(usage.get("cost")) if provider in ("", "openrouter") else None,
        word_at(body, "service_tier"),
        final=_final(event, body) if told else (False if begun else None),
        apart=realtime and told,
    )


def parts_of(counts: Mapping[str, int], _provider: str) -> Parts:
    """The counts, where the input, its audio and its images include what was cached of them."""
    audio, image = counts.get("audio", 0), counts.get("image", 0)
    cached_audio, cached_image = counts.get("cached_audio", 0), counts.get("cached_image", 0)
    return Parts(
        counts.get("input"),
        counts.get("output"),
        cache_read=counts.get("cache_read", 0),
        cache_write=counts.get("cache_write", 0),
        reasoning=counts.get("reasoning", 0),
        cached_audio=cached_audio,
        cached_image=cached_image,
        fresh_audio=max(audio - cached_audio, 0),
        fresh_image=max(image - cached_image, 0),
        made_audio=counts.get("made_audio", 0),
        made_image=counts.get("made_image", 0),
        others=(
            ("images", counts.get("images", 0)),
            ("milliseconds", counts.get("seconds", 0) * 1000),
        ),
        requests=counts.get("requests", 1),
    )


def _overtakes(newer: Mapping[str, Any], older: Mapping[str, Any]) -> bool:
    """Each event of a response has all of it; the first ones have no figures yet."""
    now, before = newer.get("response"), older.get("response")
    return (
        type(now) is dict
        and type(before) is dict
        and before.get("usage") is None
        and before.get("object") == "response"
        and before.keys() == now.keys()
        and type(newer.get("type")) is str
        and type(older.get("type")) is str
        and alike(now, before, ("id", "model", "service_tier", "object"))
    )


def _final(event: object, body: Mapping[str, Any]) -> bool:
    """Events name the end; a response fetched as a whole may still be under way."""
    if isinstance(event, str):
        return event in _ENDS
    return body.get("status") not in _UNDER_WAY


def _images(body: Mapping[str, Any]) -> int:
    """How many images came; older models are billed by the image, and say no usage."""
    made = [one for one in objects_at(body, "data") if "b64_json" in one or "url" in one]
    return len(made)


SHAPE: Final = Shape("openai_responses", read, parts_of, _overtakes)

"""Anthropic's messages: `input_tokens` excludes what was read from the cache or written to it.

Also where others serve them: Bedrock's InvokeModel, Vertex, Azure, OpenRouter. Source: Anthropic's
API reference (messages, streaming, prompt caching, compaction), and genai-prices' extractors.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape
from budget.domain.responses.reading import (
    Counts,
    Fields,
    counts_of,
    joined,
    object_at,
    objects_at,
    word_at,
)

_FIELDS: Final[Fields] = (
    ("uncached", ("input_tokens",)),
    ("output", ("output_tokens",)),
    ("cache_read", ("cache_read_input_tokens",)),
    ("written", ("cache_creation_input_tokens",)),
    ("written_5m", ("cache_creation", "ephemeral_5m_input_tokens")),
    ("written_1h", ("cache_creation", "ephemeral_1h_input_tokens")),
    ("reasoning", ("output_tokens_details", "thinking_tokens")),
    ("searches", ("server_tool_use", "web_search_requests")),
)


def read(chunk: Mapping[str, Any], _provider: str) -> Heard:
    """What a message or an event tells.

    The output of `message_start` is only what was made so far, so it goes by another name; that of
    `message_delta` counts up. Only `message_stop` says that nothing more comes.
    """
    event = chunk.get("type")
    if event == "message_stop":
        return Heard(final=True)
    body = object_at(chunk, "message") if event == "message_start" else chunk
    usage = object_at(body, "usage")
    counts = _counts(usage)
    if body.get("usage") is not None and not isinstance(body["usage"], Mapping):
        counts = Counts(counts.known, counts.bad | {"usage"})
    if event == "message_start":
        known = {("begun" if name == "output" else name): n for name, n in counts.known.items()}
        counts = Counts(known, counts.bad)
    whole = event in (None, "message") and body.get("stop_reason", "") is not None
    return Heard(
        counts,
        word_at(body, "model"),
        word_at(body, "id"),
        service_tier=word_at(usage, "service_tier"),
        speed=word_at(usage, "speed"),
        inference_geo=word_at(usage, "inference_geo"),
        final=True if whole else None,
    )


def parts_of(counts: Mapping[str, int], _provider: str) -> Parts:
    """The counts, with what was cached added to the input."""
    cache_read, uncached = counts.get("cache_read", 0), counts.get("uncached")
    written_1h = counts.get("written_1h", 0)
    # The flat total may be missing or zero beside the split, and the split may be missing.
    written = max(counts.get("written", 0), counts.get("written_5m", 0) + written_1h)
    return Parts(
        (uncached or 0) + cache_read + written,
        counts.get("output", counts.get("begun")),
        cache_read=cache_read,
        cache_write=written - written_1h,
        cache_write_1h=written_1h,
        reasoning=counts.get("reasoning", 0),
        others=(("searches", counts.get("searches", 0)),),
        agree=uncached is not None and "output" in counts,
    )


def _counts(usage: Mapping[str, Any]) -> Counts:
    """The figures at the top, or the sums of the `iterations` where these are more.

    With compaction (and other work behind one message) the top tells the last iteration only, and
    all of them are billed.
    """
    top = counts_of(usage, _FIELDS)
    turns = joined(counts_of(turn, _FIELDS) for turn in objects_at(usage, "iterations"))
    if not turns.known:
        return top
    known = {**turns.known, **top.known}
    return Counts(
        {name: max(count, turns.known.get(name, 0)) for name, count in known.items()},
        top.bad | turns.bad,
    )


SHAPE: Final = Shape("anthropic", read, parts_of)

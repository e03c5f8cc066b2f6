"""Cohere: what it bills (`billed_units`) goes before what the model saw (`tokens`).

Version 1 has both in `meta`, version 2 in `usage`; its streams have them in the last event.
Source: Cohere's API reference (chat, embed, rerank), and genai-prices' extractors.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape
from budget.domain.responses.reading import Counts, Fields, counts_of, object_at, word_at

_FIELDS: Final[Fields] = (
    ("input", ("billed_units", "input_tokens")),
    ("input", ("tokens", "input_tokens")),
    ("output", ("billed_units", "output_tokens")),
    ("output", ("tokens", "output_tokens")),
    ("image", ("billed_units", "image_tokens")),
    ("images", ("billed_units", "images")),
    ("searches", ("billed_units", "search_units")),
    ("cache_read", ("cached_tokens",)),
)
_ENDS: Final = ("message-end", "stream-end")


def read(chunk: Mapping[str, Any], _provider: str) -> Heard:
    """What a response or an event tells."""
    kind = chunk.get("type", chunk.get("event_type"))
    event = kind if isinstance(kind, str) else ""
    body = object_at(chunk, "delta") or object_at(chunk, "response") or chunk
    name = "usage" if "usage" in body else "meta"
    counts = counts_of(object_at(body, name), _FIELDS)
    if body.get(name) is not None and not isinstance(body[name], Mapping):
        counts = Counts(counts.known, counts.bad | {"usage"})
    generated = "message" in body or "text" in body or event in _ENDS
    if counts.known and not generated:
        # embeddings and rankings make no text
        counts = Counts({"output": 0, **counts.known}, counts.bad)
    return Heard(
        counts,
        word_at(body, "model"),
        word_at(chunk, "id") or word_at(body, "response_id") or word_at(body, "generation_id"),
        final=(not event or event in _ENDS) if any(counts.known.values()) else None,
    )


def parts_of(counts: Mapping[str, int], _provider: str) -> Parts:
    """The counts; tokens of images are billed beside those of the text."""
    image, told = counts.get("image", 0), counts.get("input")
    whole = None if told is None and not image else (told or 0) + image
    cached = counts.get("cache_read", 0)
    return Parts(
        whole,
        counts.get("output"),
        # More may have been cached than is billed at all; then nothing is discounted.
        cache_read=cached if cached <= (told or 0) else 0,
        fresh_image=image,
        others=(("images", counts.get("images", 0)), ("searches", counts.get("searches", 0))),
    )


SHAPE: Final = Shape("cohere", read, parts_of)

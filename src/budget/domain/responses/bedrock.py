"""Bedrock's Converse: `inputTokens` excludes what was read from the cache or written to it.

Source: the AWS API reference (TokenUsage, ConverseStream), and genai-prices' extractors. What
InvokeModel returns has the shape of the model's maker.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape
from budget.domain.responses.reading import (
    Counts,
    Fields,
    count_of,
    counts_of,
    object_at,
    objects_at,
    word_at,
)

_FIELDS: Final[Fields] = (
    ("uncached", ("inputTokens",)),
    ("output", ("outputTokens",)),
    ("cache_read", ("cacheReadInputTokens",)),
    ("written", ("cacheWriteInputTokens",)),
)


def read(chunk: Mapping[str, Any], _provider: str) -> Heard:
    """What a response or an event tells: the `metadata` event comes once, after the end."""
    body = object_at(chunk, "metadata") or chunk
    usage = object_at(body, "usage")
    known, bad = counts_of(usage, _FIELDS)
    if body.get("usage") is not None and not isinstance(body["usage"], Mapping):
        bad |= {"usage"}
    known = dict(known)
    for entry in objects_at(usage, "cacheDetails"):
        # A time to live that we do not know has no price of its own: five minutes, as written.
        name = "written_1h" if entry.get("ttl") == "1h" else "written_5m"
        count = count_of(entry.get("inputTokens")) or 0
        if count < 0:
            bad |= {name}
        else:
            known[name] = known.get(name, 0) + count
    return Heard(
        Counts(known, bad),
        service_tier=word_at(body, "serviceTier", "type"),
        final=True if any(known.values()) else None,
    )


def parts_of(counts: Mapping[str, int], _provider: str) -> Parts:
    """The counts, with what was cached added to the input."""
    cache_read, written_1h = counts.get("cache_read", 0), counts.get("written_1h", 0)
    written = max(counts.get("written", 0), counts.get("written_5m", 0) + written_1h)
    return Parts(
        counts.get("uncached", 0) + cache_read + written,
        counts.get("output"),
        cache_read=cache_read,
        cache_write=written - written_1h,
        cache_write_1h=written_1h,
        agree="uncached" in counts,
    )


SHAPE: Final = Shape("bedrock", read, parts_of)

"""Gemini's generateContent, of the Gemini API and Vertex: `usageMetadata`.

The prompt includes what was cached, tool results come beside it, and thoughts beside the
candidates. Source: Google's API reference (UsageMetadata), and genai-prices' extractors.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape
from budget.domain.responses.reading import (
    Counts,
    Fields,
    alike,
    count_of,
    counts_of,
    joined,
    object_at,
    objects_at,
    word_at,
)
from budget.domain.usage import MAX_TOKENS

_FIELDS: Final[Fields] = (
    ("prompt", ("promptTokenCount",)),
    ("tools", ("toolUsePromptTokenCount",)),
    ("candidates", ("candidatesTokenCount",)),
    ("candidates", ("responseTokenCount",)),  # the live API's word
    ("thoughts", ("thoughtsTokenCount",)),
    ("cache_read", ("cachedContentTokenCount",)),
)
_DETAILS: Final = (
    ("fresh", "promptTokensDetails"),
    ("fresh", "toolUsePromptTokensDetails"),
    ("cached", "cacheTokensDetails"),
    ("made", "candidatesTokensDetails"),
    ("made", "responseTokensDetails"),
)
# Video has no rate of its own: it stays among the tokens without a kind.
_MODALITIES: Final = {"AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image"}


def read(chunk: Mapping[str, Any], _provider: str) -> Heard:
    """What a response or a chunk tells. Figures may come with each chunk, the last are final."""
    usage = object_at(chunk, "usageMetadata")
    candidates = objects_at(chunk, "candidates")
    known, bad = counts_of(usage, _FIELDS)
    details = joined(_details(usage, kind, name) for kind, name in _DETAILS)
    if chunk.get("usageMetadata") is not None and not isinstance(chunk["usageMetadata"], Mapping):
        bad |= {"usage"}
    return Heard(
        Counts({**known, **details.known}, bad | details.bad),
        word_at(chunk, "modelVersion"),
        word_at(chunk, "responseId"),
        final=_final(chunk, any(known.values())),
        ended=any(one.get("finishReason") is not None for one in candidates),
        closing=any(known.values()) and not candidates,
    )


def parts_of(counts: Mapping[str, int], _provider: str) -> Parts:
    """The counts, with tool results added to the input and thoughts to the output."""
    prompt, thoughts = counts.get("prompt"), counts.get("thoughts", 0)
    cached_audio, cached_image = counts.get("cached_audio", 0), counts.get("cached_image", 0)
    return Parts(
        (prompt or 0) + counts.get("tools", 0),
        counts.get("candidates", 0) + thoughts,  # zeros are left out of Google's JSON
        cache_read=counts.get("cache_read", 0),
        reasoning=thoughts,
        cached_audio=cached_audio,
        cached_image=cached_image,
        fresh_audio=max(counts.get("fresh_audio", 0) - cached_audio, 0),
        fresh_image=max(counts.get("fresh_image", 0) - cached_image, 0),
        made_audio=counts.get("made_audio", 0),
        made_image=counts.get("made_image", 0),
        agree=bool(prompt),
    )


def _overtakes(newer: Mapping[str, Any], older: Mapping[str, Any]) -> bool:
    """Chunks of text tell their figures anew each: as many of them, and none a placeholder."""
    figures, before = newer.get("usageMetadata"), older.get("usageMetadata")
    if type(figures) is not dict or type(before) is not dict or figures.keys() != before.keys():
        return False
    for name, figure in figures.items():
        is_count = type(figure) is int and 0 < figure <= MAX_TOKENS
        if not is_count and figure != before[name]:
            return False
    if any(one.get("finishReason") is not None for one in objects_at(older, "candidates")):
        return False
    return bool(newer.get("candidates")) and alike(newer, older, ("modelVersion", "responseId"))


def _details(usage: Mapping[str, Any], kind: str, name: str) -> Counts:
    """Tokens by modality, where one may come twice: documents count as images."""
    sums: dict[str, int] = {}
    bad: set[str] = set()
    for entry in objects_at(usage, name):
        modality = entry.get("modality")
        ours = _MODALITIES.get(modality) if isinstance(modality, str) else None
        count = count_of(entry.get("tokenCount"))
        if ours is None or count is None:
            continue
        if count < 0:
            bad.add(f"{kind}_{ours}")
        else:
            sums[f"{kind}_{ours}"] = sums.get(f"{kind}_{ours}", 0) + count
    return Counts(sums, frozenset(bad))


def _final(chunk: Mapping[str, Any], told: bool) -> bool | None:
    """The end is a reason to finish, or to have blocked the prompt; an embedding has neither."""
    candidates = objects_at(chunk, "candidates")
    if candidates:
        return told and all(one.get("finishReason") is not None for one in candidates)
    blocked = object_at(chunk, "promptFeedback").get("blockReason") is not None
    embedded = "embedding" in chunk or "embeddings" in chunk
    live = object_at(chunk, "serverContent").get("turnComplete") is True
    return True if told and (blocked or embedded or live) else None


SHAPE: Final = Shape("gemini", read, parts_of, _overtakes)

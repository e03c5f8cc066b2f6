"""OpenAI's chat shape: `usage` with `prompt_tokens`, as most providers spell it.

Chat, completions and embeddings of OpenAI, Azure, Groq, xAI, DeepSeek, Mistral, OpenRouter and
whoever copied them. The prompt includes what was cached; the completion includes reasoning, but
for xAI's. Source: the providers' API references, and genai-prices' extractors.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape
from budget.domain.responses.reading import (
    Counts,
    Fields,
    alike,
    cost_nanos_of,
    counts_of,
    object_at,
    objects_at,
    word_at,
)
from budget.domain.usage import MAX_TOKENS

_FIELDS: Final[Fields] = (
    ("input", ("prompt_tokens",)),
    ("output", ("completion_tokens",)),
    ("total", ("total_tokens",)),
    ("cache_read", ("prompt_tokens_details", "cached_tokens")),
    ("cache_read", ("prompt_cache_hit_tokens",)),  # DeepSeek
    ("cache_read", ("cached_tokens",)),  # Moonshot, and Anthropic's chat endpoint
    ("cache_read", ("cache_read_input_tokens",)),  # Databricks
    ("cache_write", ("prompt_tokens_details", "cache_write_tokens")),
    ("cache_write", ("prompt_tokens_details", "cache_creation_tokens")),  # LiteLLM, both kinds
    (
        "written_1h",
        ("prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"),
    ),
    ("reasoning", ("completion_tokens_details", "reasoning_tokens")),
    ("fresh_audio", ("prompt_tokens_details", "audio_tokens")),
    ("fresh_image", ("prompt_tokens_details", "image_tokens")),
    ("made_audio", ("completion_tokens_details", "audio_tokens")),
    ("made_image", ("completion_tokens_details", "image_tokens")),
    ("seconds", ("prompt_audio_seconds",)),  # Mistral's Voxtral
)
_PAGES: Final[Fields] = (("pages", ("usage_info", "pages_processed")),)  # Mistral's OCR
_FIGURES: Final = frozenset({"usage", "usage_info", "x_groq"})
_WORDS: Final = ("id", "model", "service_tier")
_REASONING_APART: Final = ("grok", "x-ai", "xai")
_THOUGHTS_UNSAID: Final = ("gemini", "google", "vertex")


def read(chunk: Mapping[str, Any], provider: str) -> Heard:
    """What a response or a chunk of a stream tells."""
    usage = object_at(chunk, "usage") or object_at(chunk, "x_groq", "usage")
    choices = objects_at(chunk, "choices")
    counts = _counts(chunk, usage)
    told = any(counts.known.values())
    adds = any(map(_adds, choices))
    return Heard(
        counts,
        word_at(chunk, "model"),
        word_at(chunk, "id") or word_at(chunk, "x_groq", "id"),
        _cost_nanos(usage) if provider in ("", "openrouter") else None,
        word_at(chunk, "service_tier"),
        final=_final(choices if "choices" in chunk else None, counts.known, adds=adds),
        ended=any(one.get("finish_reason") is not None for one in choices),
        closing=told and not adds,
    )


def _counts(chunk: Mapping[str, Any], usage: Mapping[str, Any]) -> Counts:
    counts, pages = counts_of(usage, _FIELDS), counts_of(chunk, _PAGES)
    bad = counts.bad | pages.bad
    if ("usage" in chunk and not isinstance(chunk["usage"], Mapping | None)) or pages.bad:
        bad |= {"usage"}
    if pages.known or bad:
        counts = Counts({**counts.known, **pages.known}, bad)
    if counts.known and "choices" not in chunk:
        known = {"output": 0, **counts.known}  # embeddings make no text
        if not known.get("input") and not known["output"] and "input" not in bad:
            # some say only the total, which is then the input
            known["input"] = known.get("total", 0)
        counts = Counts(known, bad)
    return counts


def parts_of(counts: Mapping[str, int], provider: str) -> Parts:
    """The counts, where the prompt includes its cached tokens."""
    apart, agree = _made_apart(counts, provider)
    output, written_1h = counts.get("output"), counts.get("written_1h", 0)
    others = (("pages", counts.get("pages", 0)), ("milliseconds", counts.get("seconds", 0) * 1000))
    return Parts(
        counts.get("input"),
        None if output is None else output + apart,
        cache_read=counts.get("cache_read", 0),
        cache_write=max(0, counts.get("cache_write", 0) - written_1h),
        cache_write_1h=written_1h,
        reasoning=max(counts.get("reasoning", 0), apart),
        fresh_audio=counts.get("fresh_audio", 0),
        fresh_image=counts.get("fresh_image", 0),
        made_audio=counts.get("made_audio", 0),
        made_image=counts.get("made_image", 0),
        others=others,
        # Without the prompt's tokens it is not the truth, whatever is called final.
        agree=agree and bool(counts.get("input") or counts.get("pages")),
    )


def _overtakes(newer: Mapping[str, Any], older: Mapping[str, Any]) -> bool:
    """Figures that come after all text are final: what ended it need not be known then."""
    usage = newer.get("usage")
    if newer.get("choices") != [] or type(usage) is not dict or not _FIGURES.isdisjoint(older):
        return False
    made = usage.get("completion_tokens")
    return type(made) is int and 0 < made <= MAX_TOKENS and alike(newer, older, _WORDS)


def _made_apart(counts: Mapping[str, int], provider: str) -> tuple[int, bool]:
    """Tokens billed as output beside the completion; and whether the figures add up.

    The total shows who counts reasoning so (xAI), and Gemini's thoughts, of which its OpenAI
    endpoint says nothing else. Otherwise the total is not needed, but one that is larger than the
    figures explain means that something is missing. Voxtral's includes audio, billed by time.
    """
    reasoning = counts.get("reasoning", 0)
    total, output = counts.get("total", 0), counts.get("output", 0)
    gap = total - counts.get("input", 0) - output
    if reasoning and gap == reasoning:
        return reasoning, True
    if gap > 0 and provider in _THOUGHTS_UNSAID:
        return gap, True
    if total and gap <= 0:
        return 0, True
    if provider in _REASONING_APART:
        return reasoning, gap <= 0
    # More than the whole cannot be a part of it: it is taken for billed beside, to be safe.
    guess = reasoning if reasoning > output else 0
    return guess, not guess and (gap <= 0 or bool(counts.get("seconds")))


def _final(
    choices: list[Mapping[str, Any]] | None, known: Mapping[str, int], *, adds: bool
) -> bool | None:
    """Figures are final in a whole response and with the end of a stream or after it.

    Some providers send running figures with every chunk; those that come with more text, and no
    reason why it ends, are not the last. A response without `choices` at all has None.
    """
    told = any(known.values())
    if choices is None:
        return told or None
    if not choices:
        # After the end comes a chunk without choices; some send one before the beginning too.
        return True if known.get("output") else None
    if all("message" in one or one.get("finish_reason") is not None for one in choices):
        return told or None
    # OpenRouter's last chunk has a choice in which there is nothing.
    return False if adds else None


def _adds(choice: Mapping[str, Any]) -> bool:
    """Whether a choice of a chunk brings something that was made."""
    delta = object_at(choice, "delta")
    return bool(choice.get("text")) or any(delta[name] for name in delta if name != "role")


def _cost_nanos(usage: Mapping[str, Any]) -> int | None:
    """OpenRouter's own figure; with a key of the caller's, a fee beside the provider's price."""
    cost = cost_nanos_of(usage.get("cost"))
    if cost is None or usage.get("is_byok") is not True:
        return cost
    upstream = object_at(usage, "cost_details").get("upstream_inference_cost")
    return cost + (cost_nanos_of(upstream) or 0)


SHAPE: Final = Shape("openai_chat", read, parts_of, _overtakes)

"""Recognising: which shape a response has, by its own marks, and by names where these help.

Not here: how a shape is read (one file per shape).
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses import (
    anthropic,
    bedrock,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
    rhetor,
)
from budget.domain.responses.parts import Shape
from budget.domain.responses.reading import EMPTY, object_at, objects_at

_BY_API: Final[Mapping[str, Shape]] = {
    "chat": openai_chat.SHAPE,
    "completions": openai_chat.SHAPE,
    "embeddings": openai_chat.SHAPE,
    "responses": openai_responses.SHAPE,
    "realtime": openai_responses.SHAPE,
    "images": openai_responses.SHAPE,
    "speech": openai_responses.SHAPE,
    "transcriptions": openai_responses.SHAPE,
    "messages": anthropic.SHAPE,
    "generate_content": gemini.SHAPE,
    "converse": bedrock.SHAPE,
    "rhetor": rhetor.SHAPE,
}
_BY_PROVIDER: Final[Mapping[str, Shape]] = {
    "anthropic": anthropic.SHAPE,
    "aws": bedrock.SHAPE,
    "bedrock": bedrock.SHAPE,
    "cohere": cohere.SHAPE,
    "gemini": gemini.SHAPE,
    "google": gemini.SHAPE,
    "ollama": ollama.SHAPE,
    "vertex": gemini.SHAPE,
}
_OWN_WORDS: Final = ("cohere", "ollama")
"""Who calls an API by a name of OpenAI's and gives it a shape of its own."""

_MESSAGE_EVENTS: Final = (
    "content_block_delta", "content_block_start", "content_block_stop",
    "message_delta", "message_start", "message_stop",
)  # fmt: skip
_COHERE_EVENTS: Final = ("content-", "citation-", "message-", "tool-call-", "tool-plan-")
_CONVERSE_EVENTS: Final = (
    "contentBlockDelta", "contentBlockStart", "contentBlockStop", "messageStart", "messageStop",
)  # fmt: skip
_OPENAI_EVENTS: Final = (
    "image_edit.", "image_generation.", "response.", "speech.audio.", "transcript.text."
)  # fmt: skip
_USAGE_MARKS: Final[tuple[tuple[str, Shape], ...]] = (
    ("prompt_tokens", openai_chat.SHAPE),  # first, for proxies send Anthropic's words beside it
    ("completion_tokens", openai_chat.SHAPE),
    ("inputTokens", bedrock.SHAPE),
    ("outputTokens", bedrock.SHAPE),
    ("billed_units", cohere.SHAPE),
    ("tokens", cohere.SHAPE),
    ("cache_creation_input_tokens", anthropic.SHAPE),
    ("cache_read_input_tokens", anthropic.SHAPE),
    ("input_tokens", openai_responses.SHAPE),
    ("output_tokens", openai_responses.SHAPE),
    ("seconds", openai_responses.SHAPE),
    ("total_tokens", openai_chat.SHAPE),
)
_TOP_MARKS: Final[tuple[tuple[str, Shape], ...]] = (
    ("usageMetadata", gemini.SHAPE),
    ("candidates", gemini.SHAPE),
    ("promptFeedback", gemini.SHAPE),
    ("prompt_eval_count", ollama.SHAPE),
    ("eval_count", ollama.SHAPE),
    ("done", ollama.SHAPE),
    ("choices", openai_chat.SHAPE),
    ("x_groq", openai_chat.SHAPE),
    ("usage_info", openai_chat.SHAPE),
)


def named_shape(provider: str, api: str) -> Shape | None:
    """The shape that the names settle; None: look at the response. Unknown names settle nothing."""
    own = provider in _OWN_WORDS and api != rhetor.SHAPE.name
    return None if own else _BY_API.get(api)


def default_shape(provider: str) -> Shape | None:
    """The provider's own shape, for what has no marks; some serve others' shapes as well."""
    return _BY_PROVIDER.get(provider)


def recognised(chunk: Mapping[str, Any]) -> Shape | None:
    """The shape whose marks the response or chunk bears; None if it bears none."""
    return _by_event(chunk) or _by_usage(chunk) or _by_top(chunk)


def _by_event(chunk: Mapping[str, Any]) -> Shape | None:
    kind = chunk.get("type")
    if isinstance(kind, str):
        if kind.startswith(_OPENAI_EVENTS):
            return openai_responses.SHAPE
        if kind in _MESSAGE_EVENTS or (kind == "message" and "role" in chunk):
            return anthropic.SHAPE
        if kind.startswith(_COHERE_EVENTS):
            return cohere.SHAPE
    if isinstance(chunk.get("event_type"), str):
        return cohere.SHAPE
    if chunk.get("object") in ("response", "realtime.response"):
        return openai_responses.SHAPE
    if any(event in chunk for event in _CONVERSE_EVENTS):
        return bedrock.SHAPE
    return None


def _by_usage(chunk: Mapping[str, Any]) -> Shape | None:
    usage = object_at(chunk, "usage") or object_at(chunk, "metadata", "usage")
    if "input_tokens" in usage and ("stop_reason" in chunk or "content" in chunk):
        return anthropic.SHAPE
    for mark, shape in _USAGE_MARKS if usage else ():
        if mark in usage:
            return shape
    meta = object_at(chunk, "meta") or EMPTY
    return cohere.SHAPE if "billed_units" in meta or "tokens" in meta else None


def _by_top(chunk: Mapping[str, Any]) -> Shape | None:
    for mark, shape in _TOP_MARKS:
        if mark in chunk:
            return shape
    if any("b64_json" in one or "url" in one for one in objects_at(chunk, "data")):
        return openai_responses.SHAPE
    return None

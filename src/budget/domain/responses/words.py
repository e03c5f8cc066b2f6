"""Words: the texts that an answer has brought so far, to count what nobody tells the usage of.

Every provider's spelling of a piece of text, of a thought and of a tool's arguments. Not here: the
figures that a provider tells (`stream`).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

_WORDS: Final = (
    "text", "content", "refusal", "reasoning", "reasoning_content", "thinking", "partial_json",
    "arguments", "output_text",
)  # fmt: skip
_PLAIN: Final = frozenset({"content", "role"})
_SAID: Final = ("response", "content", "chunk")
_INSIDE: Final = ("tool_calls", "function", "function_call", "parts", "content", "summary")


def texts_of(chunk: Mapping[str, Any]) -> list[str]:
    """The texts that an answer, or one chunk of it, brings."""
    choices = chunk.get("choices")
    if type(choices) is list and len(choices) == 1 and type(choices[0]) is dict:
        delta = choices[0].get("delta")
        if type(delta) is dict and delta.keys() <= _PLAIN:  # nearly every chunk of a chat
            text = delta.get("content")
            return [text] if text and isinstance(text, str) else []
    delta = chunk.get("delta")
    if isinstance(delta, str):  # an event of OpenAI's responses
        return [delta]
    if isinstance(delta, Mapping):  # an event of Anthropic's messages
        return list(_words(delta))
    found: list[str] = []
    if "done" in chunk:  # a line of Ollama's
        said = chunk.get("message")
        found += _words({"text": chunk.get("response"), "thinking": chunk.get("thinking")})
        found += _words(said) if isinstance(said, Mapping) else ()
    for name in ("choices", "candidates", "output", "content"):
        for one in _objects(chunk.get(name)):
            for place in (one, one.get("delta"), one.get("message")):
                if isinstance(place, Mapping):
                    found += _words(place)
    return found or _said(chunk)


def _said(chunk: Mapping[str, Any]) -> list[str]:
    """The text of an answer of Rhetor's, which says it twice, or of a piece of one."""
    said = (chunk.get(name) for name in _SAID)
    return next(([text] for text in said if isinstance(text, str) and text), [])


def _words(place: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    for name in _WORDS:
        value = place.get(name)
        if isinstance(value, str) and value:
            yield value
    for name in ("functionCall", "function_call", "input", "args"):
        value = place.get(name)
        if isinstance(value, Mapping) and value and not isinstance(value.get("arguments"), str):
            yield json.dumps(value, default=str)
    if depth < 4:
        for name in _INSIDE:
            value = place.get(name)
            for one in (value,) if isinstance(value, Mapping) else _objects(value):
                yield from _words(one, depth + 1)


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []

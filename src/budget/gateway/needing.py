"""Needing: what a request needs of a model, whichever answers it: tools, images, sound, JSON.

Read from the body alone, in each format's own words; what is not understood needs nothing. Not
here: what models can do (`prices.capabilities`), and how long a request is (`engine.estimates`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from budget.gateway.formats.format import Body
from budget.prices.capabilities import Needs

_IMAGES: Final = frozenset({"image_url", "input_image", "image"})
_SOUNDS: Final = frozenset({"input_audio", "audio"})


def needs_of(api: str, body: Body) -> Needs:
    """The needs of a request; `api` is that of `Asked`. Sizes are not among them."""
    found = _READERS.get(api)
    return Needs() if found is None else found(body)


def _chat(body: Body) -> Needs:
    types = {part.get("type") for part in _parts(body.get("messages"))}
    modalities = body.get("modalities")
    return Needs(
        tools=bool(body.get("tools") or body.get("functions")),
        vision=not types.isdisjoint(_IMAGES),
        audio=not types.isdisjoint(_SOUNDS)
        or (isinstance(modalities, list) and "audio" in modalities),
        json=_kind(body.get("response_format")) in ("json_object", "json_schema"),
        reasoning=_is_effort(body.get("reasoning_effort")) or _reasons(body.get("reasoning")),
    )


def _responses(body: Body) -> Needs:
    types = {part.get("type") for part in _parts(body.get("input"))}
    text = body.get("text")
    shape = text.get("format") if isinstance(text, Mapping) else None
    return Needs(
        tools=bool(body.get("tools")),
        vision=not types.isdisjoint(_IMAGES),
        audio=not types.isdisjoint(_SOUNDS),
        json=_kind(shape) in ("json_object", "json_schema"),
        reasoning=_reasons(body.get("reasoning")),
    )


def _messages(body: Body) -> Needs:
    types = {part.get("type") for part in _parts(body.get("messages"))}
    return Needs(
        tools=bool(body.get("tools")),
        vision=not types.isdisjoint(_IMAGES),
        json=body.get("output_format") is not None or _is_shaped(body.get("output_config")),
        reasoning=_kind(body.get("thinking")) in ("enabled", "adaptive"),
    )


def _is_shaped(config: object) -> bool:
    return isinstance(config, Mapping) and config.get("format") is not None


def _gemini(body: Body) -> Needs:
    kinds = set(_mime_types(body.get("contents")))
    config = _either(body, "generationConfig", "generation_config")
    mime = _either(config, "responseMimeType", "response_mime_type")
    schema = _either(config, "responseSchema", "response_schema")
    thinking = _either(config, "thinkingConfig", "thinking_config")
    budget = _either(thinking, "thinkingBudget", "thinking_budget")
    return Needs(
        tools=bool(body.get("tools")),
        vision=not kinds.isdisjoint(("image", "video")),
        audio="audio" in kinds,
        json=mime == "application/json" or bool(schema),
        reasoning=budget not in ({}, 0) or bool(_either(thinking, "thinkingLevel")),
    )


def _ollama(body: Body) -> Needs:
    messages = body.get("messages")
    given = messages if isinstance(messages, list) else []
    told = [one for one in given if isinstance(one, Mapping)]
    think = body.get("think")
    return Needs(
        tools=bool(body.get("tools")),
        vision=bool(body.get("images")) or any(one.get("images") for one in told),
        json=bool(body.get("format")),
        reasoning=think is True or (isinstance(think, str) and bool(think)),
    )


_READERS: Final[Mapping[str, Callable[[Body], Needs]]] = {
    "chat": _chat, "responses": _responses, "messages": _messages, "generate_content": _gemini,
    "ollama": _ollama,
}  # fmt: skip


def _parts(messages: object) -> Iterator[Body]:
    """The parts of all messages, those within the results of tools too."""
    if not isinstance(messages, list):
        return
    for message in messages:
        if isinstance(message, Mapping):
            content = message.get("content", message.get("output"))
            if isinstance(content, list):
                parts = [part for part in content if isinstance(part, Mapping)]
                yield from parts
                yield from _parts(parts)


def _mime_types(contents: object) -> Iterator[str]:
    """What the parts of Gemini's contents are made of: `image`, `audio`, ..."""
    for content in contents if isinstance(contents, list) else [contents]:
        parts = content.get("parts") if isinstance(content, Mapping) else None
        for part in parts if isinstance(parts, list) else [parts]:
            for name in ("inlineData", "inline_data", "fileData", "file_data"):
                held = part.get(name) if isinstance(part, Mapping) else None
                mime = _either(held, "mimeType", "mime_type")
                if isinstance(mime, str):
                    yield mime.partition("/")[0].lower()


def _either(of: object, *names: str) -> Any:
    """What is there under one of some names; an empty object if nothing is."""
    if isinstance(of, Mapping):
        for name in names:
            if of.get(name) is not None:
                return of[name]
    return {}


def _kind(of: object) -> object:
    return of.get("type") if isinstance(of, Mapping) else None


def _is_effort(effort: object) -> bool:
    return isinstance(effort, str) and effort not in ("", "none")


def _reasons(reasoning: object) -> bool:
    if not isinstance(reasoning, Mapping):
        return False
    return _is_effort(reasoning.get("effort")) or bool(reasoning.get("max_tokens"))

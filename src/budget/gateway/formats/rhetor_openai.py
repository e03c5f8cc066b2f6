"""Rhetor for clients that speak as OpenAI's do: `/v1/chat/completions` becomes a chat of Rhetor's.

Rhetor sends on only the last message of a user, so the whole conversation is written into one. It
answers in one piece, which who wants a stream gets as one event. Tools and images it does not know.
Not here: what is counted of it, which is as for its own paths (`rhetor`).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from budget.domain.errors import InvalidInput
from budget.gateway.formats import openai, rhetor
from budget.gateway.formats.format import (
    Asked,
    Body,
    Changes,
    Target,
    model_in,
)

PREFIX: Final = "/v1/"
_CHAT: Final = "/v1/chat/completions"
_PASSED: Final = ("temperature", "component", "capability")
_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_LEFT_OUT: Final = ("tools", "functions", "response_format", "modalities")
"""What a client would miss without a word."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def _asked(target: Target) -> Asked | None:
    if target.path != _CHAT or target.method != "POST" or target.body is None:
        return None
    for name in _LEFT_OUT:
        if target.body.get(name):
            raise InvalidInput(name, "is not known to Rhetor; leave it out.")
    as_one(target.body)
    return Asked(rhetor.NAME, model_in(target.body), can_stream=True)


def _written(_asked: Asked, body: Body, changes: Changes) -> Body:
    sent: dict[str, Any] = {name: body[name] for name in _PASSED if name in body}
    sent["messages"] = [{"role": "user", "content": as_one(body)}]
    sent["model"] = changes.model or body.get("model")
    given = [body[name] for name in _LIMITS if isinstance(body.get(name), int)]
    limits = [most for most in (*given, changes.max_output_tokens) if most is not None]
    if limits:
        sent["max_tokens"] = min(limits)
    return sent


def _path(_target: Target, _asked: Asked, _changes: Changes) -> str:
    return "/api/v1/chat"


def as_one(body: Body) -> str:
    """The conversation of a request as one text; InvalidInput for what is more than text."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidInput("messages", "must be a list of messages.")
    texts = [(one, _text(one, f"messages[{at}]")) for at, one in enumerate(messages)]
    if len(texts) == 1:
        return texts[0][1]
    return "\n\n".join(f"{one.get('role', 'user')}: {text}" for one, text in texts)


def _text(message: Any, field: str) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") if isinstance(part, Mapping) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidInput(field, "must be text, which is all that Rhetor takes.")
    return "".join(text for text in texts if isinstance(text, str))


def _shown(target: Target, asked: Asked, said: Body) -> tuple[bytes, bytes]:
    """An answer of Rhetor's as OpenAI would give it, and its content type. Of usage nothing is
    told, for nobody knows it.
    """
    body = target.body or {}
    whole = {
        "id": "chatcmpl-rhetor", "object": "chat.completion", "created": 0,
        "model": asked.model,
    }  # fmt: skip
    text = said.get("content") or said.get("response")
    message = {"role": "assistant", "content": text if isinstance(text, str) else ""}
    if body.get("stream") is not True:
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return _encode({**whole, "choices": [choice]}), b"application/json"
    chunk = {**whole, "object": "chat.completion.chunk"}
    events = [
        {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    told = b"".join(b"data: " + _encode(event) + b"\n\n" for event in events)
    return told + b"data: [DONE]\n\n", b"text/event-stream; charset=utf-8"


FORMAT: Final = rhetor.FORMAT._replace(
    asked=_asked,
    written=_written,
    path=_path,
    problem=openai.FORMAT.problem,
    shown=_shown,
)

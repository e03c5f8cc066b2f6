"""Rhetor, the model manager of Tekton: generate and chat, whole and as events.

It tells words in place of tokens and another model than was asked for, so what is used is counted
here, at the price of the model that the request names. Who sells that the name says (`behind`).
Source: what a running one answers. Not here: which model it would choose (`neighbours.rhetor`).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from budget.gateway.formats.format import (
    Asked,
    Body,
    Changes,
    Format,
    Notice,
    Target,
    Transcript,
    hides_nothing,
    model_in,
    path_as_it_came,
)

NAME: Final = "rhetor"
GENERATE: Final = "/api/v1/generate"
STREAMED: Final = "/api/v1/chat/stream"
USUAL_MAX_TOKENS: Final = 2_000
"""What its requests have for `max_tokens` unless they say."""
_ASKING: Final = frozenset({GENERATE, "/api/v1/chat", STREAMED})
_SPEAKING: Final = "/api/v1/ai/stream/"
"""What is asked there by GET costs as much as by POST, and nobody knows of which model."""
_CHOOSING: Final = "/api/models/"
"""What chooses models, or assigns them, makes nothing that is paid for."""
_FROM_BODY: Final = (("component", "component"), ("context_id", "session"))

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def _asked(target: Target) -> Asked | None:
    if target.path in _ASKING and target.method == "POST" and target.body is not None:
        streams = target.path == STREAMED
        return Asked(NAME, model_in(target.body), streams=streams, can_stream=True)
    if target.path.startswith(_CHOOSING):
        return Asked("", costs="nothing")
    free = target.method in ("GET", "HEAD") and not target.path.startswith(_SPEAKING)
    return Asked("", costs="nothing") if free else None


def chosen_for(target: Target) -> tuple[str, str]:
    """For which component and capability Rhetor chooses the model of a body that names none."""
    usual = "reasoning" if target.path == GENERATE else "chat"
    said = ((target.body or {}).get(name) for name in ("component", "capability"))
    component, capability = (one if isinstance(one, str) else "" for one in said)
    return component, capability or usual


def _written(_asked: Asked, body: Body, changes: Changes) -> Body:
    sent = dict(body)
    if changes.model is not None:
        sent["model"] = changes.model
    most = changes.max_output_tokens
    if most is not None:
        given = body.get("max_tokens")
        sent["max_tokens"] = min(given, most) if isinstance(given, int) and given > 0 else most
    return sent


def _transcript(_asked: Asked) -> Transcript:
    return Joined()


def _tells(event: Body) -> bool:
    return "done" in event or "error" in event


def _is_last(event: Body) -> bool:
    return event.get("done") is True


def _problem(notice: Notice) -> Body:
    return {"detail": notice.message, "code": notice.code, "budget": dict(notice.told)}


def _broken(_asked: Asked, notice: Notice) -> bytes:
    return _event({"error": notice.message, "code": notice.code, "done": True})


def _attributes(body: Body) -> Mapping[str, str]:
    found = {key: body.get(name) for name, key in _FROM_BODY}
    return {key: text for key, text in found.items() if isinstance(text, str) and text}


def _is_error(said: Body) -> bool:
    texts = any(said.get(name) for name in ("response", "content"))
    return bool(said.get("error")) and not texts


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + _encode(body) + b"\n\n"


class Joined:
    """The pieces of one answer, joined."""

    __slots__ = ("_last", "_texts")

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._texts: list[str] = []

    def take(self, event: Body) -> None:
        """Hear one more piece."""
        self._last.update({name: value for name, value in event.items() if name != "chunk"})
        piece = event.get("chunk")
        if isinstance(piece, str):
            self.say(piece)

    def say(self, text: str) -> None:
        """Hear more text."""
        self._texts.append(text)

    def whole(self) -> Body:
        """The answer as a chat answers in one piece."""
        text = "".join(self._texts)
        return {**self._last, "content": text, "response": text}

    def ending(self, notice: Notice) -> bytes:
        """A last event that says why no more comes."""
        return _event({"done": True, "finish_reason": "length", "budget": dict(notice.told)})

    def cut_short(self, notice: Notice) -> Body:
        """`whole`, with the same."""
        return {**self.whole(), "finish_reason": "length", "budget": dict(notice.told)}


FORMAT: Final = Format(
    NAME,
    _asked,
    _written,
    path_as_it_came,
    _transcript,
    _tells,
    _is_last,
    hides_nothing,
    _problem,
    _broken,
    _attributes,
    "authorization",
    is_error=_is_error,
    ignored_limit_tokens=USUAL_MAX_TOKENS,
)

"""Ollama's own API: chat, generate and embed, whole and as lines of JSON.

Streams are what it sends unless told otherwise. Source: Ollama's API reference. Not here: its
OpenAI-compatible endpoints, which are OpenAI's format under another address.
"""

from collections.abc import Mapping, Set
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
from budget.gateway.formats.saying import Saying

_WRITING: Final = frozenset({"/api/chat", "/api/generate"})
_EMBEDDING: Final = frozenset({"/api/embed", "/api/embeddings"})
_FREE: Final = frozenset({"/api/show", "/api/create", "/api/copy", "/api/pull", "/api/push"})
_BLOBS: Final = "/api/blobs/"
"""What keeps models on the machine, or asks about them, makes nothing that is paid for."""

_NAMES: Final = frozenset({"model", "created_at", "message", "done"})
_PLAIN: Final = frozenset({"role", "content"})

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def _asked(target: Target) -> Asked | None:
    body = target.body
    if target.path in _WRITING and body is not None:
        streams = body.get("stream") is not False
        return Asked("ollama", model_in(body), streams, can_stream=True, framing="lines")
    if target.path in _EMBEDDING and body is not None:
        return Asked("ollama", model_in(body))
    free = target.method in ("GET", "HEAD", "DELETE") or target.path in _FREE
    return Asked("", costs="nothing") if free or target.path.startswith(_BLOBS) else None


def _written(_asked: Asked, body: Body, changes: Changes) -> Body:
    sent = dict(body)
    if changes.model is not None:
        sent["model"] = changes.model
    most = changes.max_output_tokens
    if most is not None:
        options = body.get("options")
        held = dict(options) if isinstance(options, Mapping) else {}
        given = held.get("num_predict")
        if not isinstance(given, int) or given < 0:  # its word for no limit
            given = most
        held["num_predict"] = min(given, most)
        sent["options"] = held
    if changes.stream:
        sent["stream"] = True
    return sent


def _transcript(_asked: Asked) -> Transcript:
    return LinesTranscript()


def _tells(event: Body) -> bool:
    return event.get("done") is not False


def _is_last(event: Body) -> bool:
    return event.get("done") is True


def _problem(notice: Notice) -> Body:
    return {"error": notice.message, "code": notice.code, "budget": dict(notice.told)}


def _broken(_asked: Asked, notice: Notice) -> bytes:
    return _encode(_problem(notice)) + b"\n"


def _attributes(_body: Body) -> Mapping[str, str]:
    return {}


def _plain(transcript: object, event: Body) -> str | None:
    """Take an object that brings text to a message that has begun, and nothing else."""
    if type(transcript) is not LinesTranscript or event.get("done") is not False:
        return None
    message = event.get("message")
    if (
        type(message) is not dict
        or not message.keys() <= _PLAIN
        or event.keys() != transcript.names
    ):
        return None
    text = message.get("content")
    if type(text) is not str:
        return None
    transcript.say(text)
    return text


class LinesTranscript(Saying):
    """The objects of one answer, joined. `names` are the fields of those that may be plain."""

    __slots__ = ("_last", "_message", "_texts", "names")

    def __init__(self) -> None:
        super().__init__()
        self.names: Set[str] = frozenset()
        self._last: dict[str, Any] = {}
        self._message: dict[str, Any] | None = None
        self._texts: dict[str, str] = {}

    def _take_said(self, text: str) -> None:
        self._take_message({"content": text})

    def take(self, event: Body) -> None:
        """Hear one more object."""
        self._join_said()
        self._last.update(event)
        for name in ("response", "thinking"):
            if isinstance(event.get(name), str):
                self._texts[name] = self._texts.get(name, "") + event[name]
        message = event.get("message")
        if isinstance(message, Mapping):
            self._take_message(message)
        alike = event.keys() <= _NAMES and type(message) is dict and message.keys() <= _PLAIN
        self.names = frozenset(event) if alike else frozenset()

    def _take_message(self, message: Body) -> None:
        held = self._message
        if held is None:
            held = self._message = {"role": "assistant", "content": ""}
        for name, value in message.items():
            if name in ("content", "thinking") and isinstance(value, str):
                held[name] = held.get(name, "") + value
            elif name == "tool_calls" and isinstance(value, list):
                held[name] = [*held.get(name, ()), *value]
            else:
                held[name] = value

    def whole(self) -> Body:
        """The answer as it would have come in one piece."""
        self._join_said()
        said = {} if self._message is None else {"message": self._message}
        return {**self._last, **self._texts, **said}

    def cut_short(self, notice: Notice) -> Body:
        """The same, with `length` as the reason to be done."""
        return {**self.whole(), **_done(notice)}

    def ending(self, notice: Notice) -> bytes:
        """A last object with `length` as the reason to be done."""
        nothing: dict[str, Any] = (
            {"response": ""}
            if self._message is None
            else {"message": {"role": "assistant", "content": ""}}
        )
        kept = {name: self._last[name] for name in ("model", "created_at") if name in self._last}
        return _encode({**kept, **nothing, **_done(notice)}) + b"\n"


def _done(notice: Notice) -> dict[str, Any]:
    return {
        "done": True,
        "done_reason": "length",
        "eval_count": notice.output_tokens,
        "budget": dict(notice.told),
    }


FORMAT: Final = Format(
    "ollama",
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
    _plain,
)

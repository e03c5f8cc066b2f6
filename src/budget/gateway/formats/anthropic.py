"""Anthropic's API: messages, whole and as streams.

Source: Anthropic's API reference (messages, streaming, errors). Not here: batches (`batches`), and
what usage says (`domain.responses.anthropic`).
"""

import re
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
from budget.gateway.formats.saying import Saying

_MESSAGES: Final = "/v1/messages"
_FREE: Final = "/v1/messages/count_tokens"
_BATCHES: Final = "/v1/messages/batches"
_FREE_PATH: Final = re.compile(r"/v1/files|/v1/messages/batches/[A-Za-z0-9_-]+/cancel")
"""Files are kept for nothing; what a batch did until it was ended is booked when it is told."""
_LAST: Final = frozenset({"message_delta", "message_stop"})
_TELLING: Final = frozenset({"message_start", "message", "error", *_LAST})
_PLAIN_FIELDS: Final = 3
_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
_DELTAS: Final[Mapping[str, str]] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""Where each kind of delta has its text: the name of the block's field too, but for JSON."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder().decode


def _asked(target: Target) -> Asked | None:
    body = target.body
    if target.method in ("GET", "HEAD", "DELETE") or target.path == _FREE:
        return Asked("", costs="nothing")
    if target.method == "POST" and _FREE_PATH.fullmatch(target.path):
        return Asked("", costs="nothing")
    if target.path == _BATCHES and target.method == "POST" and body is not None:
        return Asked("", costs="batch")
    if target.path != _MESSAGES or body is None:
        return None
    return Asked("messages", model_in(body), body.get("stream") is True, can_stream=True)


def _written(_asked: Asked, body: Body, changes: Changes) -> Body:
    sent = dict(body)
    if changes.model is not None:
        sent["model"] = changes.model
    most = changes.max_output_tokens
    if most is not None:
        given = sent.get("max_tokens")
        sent["max_tokens"] = min(given, most) if isinstance(given, int) else most
    if changes.stream:
        sent["stream"] = True
    return sent


def _transcript(_asked: Asked) -> Transcript:
    return MessageTranscript()


def _tells(event: Body) -> bool:
    kind = event.get("type")
    return type(kind) is str and kind in _TELLING


def _is_last(event: Body) -> bool:
    kind = event.get("type")
    return type(kind) is str and kind in _LAST


def _problem(notice: Notice) -> Body:
    kind = _TYPES.get(notice.status, "api_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": notice.message, "code": notice.code},
        "budget": dict(notice.told),
    }


def _broken(_asked: Asked, notice: Notice) -> bytes:
    return _event("error", _problem(notice))


def _attributes(body: Body) -> Mapping[str, str]:
    metadata = body.get("metadata")
    user: Any = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    return {"user": user} if isinstance(user, str) and user else {}


def _event(kind: str, body: Body) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + _encode(body) + b"\n\n"


def _plain(transcript: object, event: Body) -> str | None:
    """Take an event that brings text to a block that has begun, and nothing else."""
    if type(transcript) is not MessageTranscript or event.get("type") != "content_block_delta":
        return None
    delta, index = event.get("delta"), event.get("index")
    if len(event) != _PLAIN_FIELDS or type(delta) is not dict or len(delta) != _PLAIN_FIELDS - 1:
        return None
    text = delta.get("text")
    if delta.get("type") != "text_delta" or type(text) is not str or type(index) is not int:
        return None
    return text if transcript.grows(index, text) else None


class MessageTranscript(Saying):
    """The events of one message, joined."""

    __slots__ = ("_block_said", "_blocks", "_json", "_message", "_open")

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._json: dict[int, str] = {}
        self._open: set[int] = set()
        self._block_said = 0

    def grows(self, index: int, text: str) -> bool:
        """Hear more text of a block of text; False if it is none."""
        block = self._blocks.get(index)
        if block is None or block.get("type") != "text":
            return False
        if index != self._block_said:
            self._join_said()
            self._block_said = index
        self.say(text)
        return True

    def _take_said(self, text: str) -> None:
        block = self._blocks.setdefault(self._block_said, {"type": "text", "text": ""})
        block["text"] = (block.get("text") or "") + text

    def take(self, event: Body) -> None:
        """Hear one more event."""
        self._join_said()
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start" and isinstance(event.get("message"), Mapping):
            self._message = dict(event["message"])
        elif kind == "message_delta":
            self._ended(event)
        elif not isinstance(index, int):
            return
        elif kind == "content_block_start" and isinstance(event.get("content_block"), Mapping):
            self._blocks[index] = dict(event["content_block"])
            self._open.add(index)
        elif kind == "content_block_delta" and isinstance(event.get("delta"), Mapping):
            self._grow(index, event["delta"])
        elif kind == "content_block_stop":
            self._open.discard(index)

    def _grow(self, index: int, delta: Body) -> None:
        block = self._blocks.setdefault(index, {"type": "text", "text": ""})
        name = _DELTAS.get(str(delta.get("type")))
        if name is None:
            citation = delta.get("citation")
            if citation is not None:
                block["citations"] = [*(block.get("citations") or ()), citation]
            return
        text = delta.get(name)
        if not isinstance(text, str):
            return
        if name == "partial_json":
            self._json[index] = self._json.get(index, "") + text
        else:
            block[name] = (block.get(name) or "") + text

    def _ended(self, event: Body) -> None:
        if isinstance(event.get("delta"), Mapping):
            self._message.update(event["delta"])
        for name, value in event.items():
            if name not in ("type", "delta", "usage"):
                self._message[name] = value
        if isinstance(event.get("usage"), Mapping):
            self._message["usage"] = {**(self._message.get("usage") or {}), **event["usage"]}

    def whole(self) -> Body:
        """The message as it would have come in one piece."""
        self._join_said()
        blocks = [self._block(index) for index in sorted(self._blocks)]
        return {**self._message, "content": blocks}

    def _block(self, index: int) -> dict[str, Any]:
        block, text = self._blocks[index], self._json.get(index)
        if not text:
            return block
        try:
            return {**block, "input": _decode(text)}
        except msgspec.DecodeError:  # cut in the middle
            return {**block, "input": {}}

    def cut_short(self, notice: Notice) -> Body:
        """The same, with `max_tokens` as the reason to stop."""
        whole = dict(self.whole())
        usage = {**(whole.get("usage") or {}), "output_tokens": notice.output_tokens}
        return {
            **whole, "stop_reason": "max_tokens", "usage": usage, "budget": dict(notice.told)
        }  # fmt: skip

    def ending(self, notice: Notice) -> bytes:
        """The end of every block that is open, and of the message, with `max_tokens` as reason."""
        if not self._message:
            return _broken(Asked("messages"), notice)
        ends = [
            _event("content_block_stop", {"type": "content_block_stop", "index": index})
            for index in sorted(self._open)
        ]
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": "max_tokens", "stop_sequence": None},
            "usage": {"output_tokens": notice.output_tokens},
            "budget": dict(notice.told),
        }
        ends.append(_event("message_delta", delta))
        ends.append(_event("message_stop", {"type": "message_stop"}))
        return b"".join(ends)


FORMAT: Final = Format(
    "anthropic",
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
    "x-api-key",
    _plain,
    own_headers={"anthropic-version": "2023-06-01"},
)

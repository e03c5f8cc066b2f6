"""Google's Gemini API: generateContent, whole and as streams, and embeddings; Vertex's too.

A stream comes as events where the caller says `alt=sse`, else as one JSON array. Source: Google's
API reference. Not here: what usage says (`domain.responses.gemini`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

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
)
from budget.gateway.formats.saying import Saying

_ACT: Final = re.compile(r"(.*/models/)([^/:]+):([A-Za-z]+)")
_GENERATING: Final = frozenset({"generateContent", "streamGenerateContent"})
_EMBEDDING: Final = frozenset({"embedContent", "batchEmbedContents"})
_FILES: Final = re.compile(r"(?:/upload)?/v1(?:beta)?/files")
"""Where files are left, which costs nothing."""
_FREE: Final = frozenset({"countTokens", "computeTokens"})
_STREAMED: Final = "streamGenerateContent"
_STATUS: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_PLAIN: Final = frozenset({"content", "index"})

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def _asked(target: Target) -> Asked | None:
    matched = _ACT.fullmatch(target.path)
    if target.method in ("GET", "HEAD", "DELETE") or _FILES.fullmatch(target.path):
        return Asked("", costs="nothing")
    if matched is None or target.body is None:
        return None
    model, act = unquote(matched[2]), matched[3]
    if act in _FREE:
        return Asked("", costs="nothing")
    if act in _EMBEDDING:
        return Asked("embeddings", model)
    if act not in _GENERATING:
        return None
    streams = act == _STREAMED
    as_events = not streams or ("alt", "sse") in parse_qsl(target.query)
    framing: Any = "events" if as_events else "array"
    return Asked("generate_content", model, streams, can_stream=True, framing=framing)


def _written(asked: Asked, body: Body, changes: Changes) -> Body:
    most = changes.max_output_tokens
    if most is None or asked.api != "generate_content":
        return body
    name = "generation_config" if "generation_config" in body else "generationConfig"
    config = body.get(name)
    held = dict(config) if isinstance(config, Mapping) else {}
    field = "max_output_tokens" if "max_output_tokens" in held else "maxOutputTokens"
    given = held.get(field)
    held[field] = min(given, most) if isinstance(given, int) else most
    return {**body, name: held}


def _path(target: Target, asked: Asked, changes: Changes) -> str:
    path, query = target.path, target.query
    matched = _ACT.fullmatch(path)
    if matched is not None:
        before, model, act = matched.groups()
        if changes.model is not None:
            model = quote(changes.model, safe="")
        if changes.stream and not asked.streams:
            act = _STREAMED
            pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "alt"]
            query = urlencode([*pairs, ("alt", "sse")])
        path = f"{before}{model}:{act}"
    return f"{path}?{query}" if query else path


def _transcript(asked: Asked) -> Transcript:
    return ContentTranscript(asked)


def _tells(event: Body) -> bool:
    return "usageMetadata" in event or _is_last(event)


def _is_last(event: Body) -> bool:
    candidates = event.get("candidates")
    if isinstance(candidates, list) and candidates:
        return any(isinstance(one, Mapping) and one.get("finishReason") for one in candidates)
    return "usageMetadata" in event or "promptFeedback" in event


def _problem(notice: Notice) -> Body:
    reason = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": notice.code,
        "domain": "budget",
    }
    return {
        "error": {
            "code": notice.status,
            "message": notice.message,
            "status": _STATUS.get(notice.status, "INTERNAL"),
            "details": [reason],
            "budget": dict(notice.told),
        }
    }


def _broken(asked: Asked, notice: Notice) -> bytes:
    if asked.framing == "array":
        return b"," + _encode(_problem(notice)) + b"]"
    return b"data: " + _encode(_problem(notice)) + b"\r\n\r\n"


def _attributes(body: Body) -> Mapping[str, str]:
    labels = body.get("labels")
    if not isinstance(labels, Mapping):
        return {}
    return {name: text for name, text in labels.items() if isinstance(text, str) and text}


def _plain(transcript: object, event: Body) -> str | None:
    """Take a chunk that brings figures, and text behind other text of the first candidate."""
    candidates = event.get("candidates")
    if type(transcript) is not ContentTranscript or type(candidates) is not list:
        return None
    text = _only_text(candidates)
    return text if text is not None and transcript.grows(event, text) else None


def _only_text(candidates: list[Any]) -> str | None:
    """The text, if there is nothing else in the candidates."""
    candidate = candidates[0] if len(candidates) == 1 else None
    if type(candidate) is not dict or not candidate.keys() <= _PLAIN or candidate.get("index"):
        return None
    content = candidate.get("content")
    if type(content) is not dict or len(content) != len(_PLAIN) or content.get("role") != "model":
        return None
    parts = content.get("parts")
    part = parts[0] if type(parts) is list and len(parts) == 1 else None
    text = part.get("text") if type(part) is dict and len(part) == 1 else None
    return text if type(text) is str else None


class ContentTranscript(Saying):
    """The chunks of one answer, joined."""

    __slots__ = ("_asked", "_began", "_candidates", "_top")

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked
        self._top: dict[str, Any] = {}
        self._candidates: dict[int, dict[str, Any]] = {}
        self._began = False

    def grows(self, event: Body, text: str) -> bool:
        """Hear a chunk with more text of the first candidate; False if it has none yet."""
        parts = self._candidates.get(0, {}).get("content", {}).get("parts")
        if not parts or parts[-1].keys() != {"text"}:
            return False
        self._top.update(event)
        del self._top["candidates"]
        self.say(text)
        return True

    def _take_said(self, text: str) -> None:
        self._candidate({"content": {"parts": [{"text": text}]}})

    def take(self, event: Body) -> None:
        """Hear one more chunk."""
        self._join_said()
        self._began = True
        candidates = event.get("candidates")
        self._top.update({name: one for name, one in event.items() if name != "candidates"})
        for one in candidates if isinstance(candidates, list) else ():
            if isinstance(one, Mapping):
                self._candidate(one)

    def _candidate(self, candidate: Body) -> None:
        index = candidate.get("index", 0)
        if not isinstance(index, int):
            return
        held = self._candidates.setdefault(index, {})
        content = candidate.get("content")
        held.update({name: one for name, one in candidate.items() if name != "content"})
        if isinstance(content, Mapping):
            joined = held.setdefault("content", {"parts": []})
            joined.update({name: one for name, one in content.items() if name != "parts"})
            parts = content.get("parts")
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, Mapping):
                    _join(joined["parts"], part)

    def whole(self) -> Body:
        """The answer as it would have come in one piece."""
        self._join_said()
        if not self._candidates:
            return self._top
        return {
            "candidates": [self._candidates[index] for index in sorted(self._candidates)],
            **self._top,
        }

    def cut_short(self, notice: Notice) -> Body:
        """The same, with MAX_TOKENS as the reason to finish of what had not ended."""
        whole = dict(self.whole())
        whole["candidates"] = [
            {**one, "finishReason": one.get("finishReason") or "MAX_TOKENS"}
            for one in whole.get("candidates", [{"content": {"role": "model", "parts": []}}])
        ]
        return {**whole, "budget": dict(notice.told)}

    def ending(self, notice: Notice) -> bytes:
        """A last chunk that says MAX_TOKENS for every candidate that had not ended."""
        left = [
            index for index, one in sorted(self._candidates.items()) if not one.get("finishReason")
        ] or [0]
        ends = [
            {"content": {"role": "model", "parts": []}, "finishReason": "MAX_TOKENS", "index": at}
            for at in left
        ]
        chunk = _encode({**self._top, "candidates": ends, "budget": dict(notice.told)})
        if self._asked.framing == "array":
            return (b"," if self._began else b"[") + chunk + b"]"
        return b"data: " + chunk + b"\r\n\r\n"


def _join(parts: list[dict[str, Any]], more: Body) -> None:
    """Add a part: text goes on the text before it, if that is a thought as much as this is."""
    last = parts[-1] if parts else None
    plain = {"text", "thought"}
    if (
        last is not None
        and isinstance(more.get("text"), str)
        and isinstance(last.get("text"), str)
        and plain.issuperset(last)
        and plain.issuperset(more)
        and bool(last.get("thought")) == bool(more.get("thought"))
    ):
        last["text"] += more["text"]
    else:
        parts.append(dict(more))


FORMAT: Final = Format(
    "gemini",
    _asked,
    _written,
    _path,
    _transcript,
    _tells,
    _is_last,
    hides_nothing,
    _problem,
    _broken,
    _attributes,
    "x-goog-api-key",
    _plain,
    plain_tells=True,
)

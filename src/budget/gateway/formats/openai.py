"""OpenAI's API: chat, responses, embeddings, images, audio; and whoever speaks as OpenAI does.

Source: OpenAI's API reference. Not here: what streams of chat and of responses are made of
(`openai_chat`, `openai_responses`), and batches (`batches`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from budget.domain.output_limits import output_tokens_limit
from budget.gateway.addressing import below_version
from budget.gateway.formats import (
    openai_chat,
    openai_media,
    openai_responses,
    openai_routes,
    speaking,
)
from budget.gateway.formats.format import (
    Asked,
    Body,
    Changes,
    Format,
    Most,
    Notice,
    Target,
    Transcript,
    model_in,
)
from budget.gateway.marks import check_unmarked, marked

_BOUNDED: Final[Mapping[str, Callable[[Body], Most]]] = {
    "images": openai_media.images,
    "speech": openai_media.speech,
    "transcriptions": openai_media.transcription,
}
_ENDS: Final = openai_responses.ENDS | openai_media.ENDS
_LIMITS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def _asked(target: Target) -> Asked | None:
    path, body = below_version(target.path), target.body
    check_unmarked(body)
    if openai_routes.is_free(target.method, path, model_in(body or {})):
        return Asked("", costs="nothing")
    if path == openai_routes.BATCHES and target.method == "POST":
        return Asked("", costs="batch")
    api = openai_routes.PRICED.get(path)
    if api is None or body is None or target.method != "POST":
        return None
    asked = asked_of(api, body)
    if path == openai_routes.COMPACT:
        return asked._replace(can_stream=False, most=Most(openai_media.MOST_WRITTEN_TOKENS))
    return asked


def asked_of(api: str, body: Body) -> Asked:
    """What a request asks of one of the priced APIs."""
    streams = body.get("stream") in (True, "true")
    asked = Asked(api, model_in(body), streams)
    if api in _BOUNDED:
        framed = asked._replace(most=_BOUNDED[api](body))
        return speaking.spoken(framed, body) if api == "speech" else framed
    if api == "embeddings":
        return asked
    if body.get("background") is True:
        limit = output_tokens_limit(body)
        most = Most(openai_media.MOST_WRITTEN_TOKENS if limit is None else limit)
        return asked._replace(most=most, later=not streams)
    spoken = openai_media.chat_in_audio(body) if api == "chat" else None
    return asked._replace(can_stream=spoken is None, most=spoken)


def _written(asked: Asked, body: Body, changes: Changes) -> Body:
    sent = dict(body)
    if changes.model is not None:
        sent["model"] = changes.model
    most = changes.max_output_tokens
    if most is not None:
        for name in _limits_of(asked, body):
            given = sent.get(name)
            sent[name] = min(given, most) if isinstance(given, int) else most
    if changes.stream:
        sent["stream"] = True
    if asked.framing == "spoken":
        sent["stream_format"] = "sse"
    if changes.mark is not None:
        sent["metadata"] = marked(body.get("metadata"), changes.mark)
    if asked.api == "chat" and sent.get("stream") is True:
        options = body.get("stream_options")
        sent["stream_options"] = {
            **(options if isinstance(options, Mapping) else {}), "include_usage": True
        }  # fmt: skip
    return sent


def _limits_of(asked: Asked, body: Body) -> tuple[str, ...]:
    """The fields that limit the output: those that the caller wrote, else the newer one."""
    written = tuple(name for name in _LIMITS if body.get(name) is not None)
    if written:
        return written
    if asked.api == "responses":
        return ("max_output_tokens",)
    return ("max_completion_tokens",) if "messages" in body else ("max_tokens",)


def _path(target: Target, _asked: Asked, _changes: Changes) -> str:
    path = below_version(target.path)
    return f"{path}?{target.query}" if target.query else path


def _transcript(asked: Asked) -> Transcript:
    if asked.api == "responses":
        return openai_responses.ResponseTranscript()
    return openai_chat.ChatTranscript()


def _plain(transcript: object, event: Body) -> str | None:
    if type(transcript) is openai_responses.ResponseTranscript:
        return openai_responses.take_plain(transcript, event)
    return openai_chat.take_plain(transcript, event)


def _tells(event: Body) -> bool:
    return (
        "response" in event
        or event.get("usage") is not None
        or "x_groq" in event
        or _is_last(event)
    )


def _is_last(event: Body) -> bool:
    kind = event.get("type")
    return (type(kind) is str and kind in _ENDS) or openai_chat.is_last(event)


def _is_hidden(target: Target, event: Body) -> bool:
    if not openai_chat.is_usage_only(event):
        return False
    options = (target.body or {}).get("stream_options")
    return not isinstance(options, Mapping) or options.get("include_usage") is not True


def _problem(notice: Notice) -> Body:
    return {
        "error": {
            "message": notice.message,
            "type": _TYPES.get(notice.status, "budget_error"),
            "param": notice.told.get("field"),
            "code": notice.code,
            "budget": dict(notice.told),
        }
    }


_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    422: "invalid_request_error",
    429: "insufficient_quota",
    502: "api_error",
    503: "api_error",
    504: "api_error",
}


def _broken(asked: Asked, notice: Notice) -> bytes:
    if asked.api == "responses":
        told = {"type": "error", "code": notice.code, "message": notice.message, "param": None}
        return b"event: error\ndata: " + _encode(told) + b"\n\n"
    return b"data: " + _encode(_problem(notice)) + b"\n\n"


_USERS: Final = ("user", "safety_identifier")


def _attributes(body: Body) -> Mapping[str, str]:
    """The user, under the new name before the old one, and `metadata` with names of attributes."""
    found: dict[str, str] = {}
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping):
        found.update({name: value for name, value in metadata.items() if isinstance(value, str)})
    for name in _USERS:
        user: Any = body.get(name)
        if isinstance(user, str) and user:
            found["user"] = user
    return found


FORMAT: Final = Format(
    "openai", _asked, _written, _path, _transcript, _tells, _is_last, _is_hidden, _problem,
    _broken, _attributes, "authorization", _plain,
)  # fmt: skip

"""Frames: what is said over a WebSocket, both ways, and events as a stream sends them.

    {"type": "subscription", "topic": "budget_alerts", "payload": {...}, "timestamp": "..."}

Not here: what is done with them (`conversation`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain import cursors, wire
from budget.domain.answers import Event
from budget.domain.errors import BudgetError, InvalidInput
from budget.domain.events import TOPIC_OF, TYPES
from budget.domain.windows import to_rfc3339
from budget.engine.events.asks import FIELDS
from budget.http import bodies
from budget.http.live.protocol import text_frame

SPOKEN: Final = ("authentication", "subscription", "unsubscription", "heartbeat")
"""The types of frames that clients send."""

_PARTS: Final = frozenset({"type", "topic", "payload", "timestamp"})
_PAYLOADS: Final[Mapping[str, frozenset[str]]] = {
    "authentication": frozenset({"api_key", "client_id"}),
    "subscription": FIELDS,
    "unsubscription": frozenset({"topic", "topics"}),
    "heartbeat": frozenset({"timestamp"}),
}


class Frame(NamedTuple):
    """What a client says."""

    type: str
    topic: str | None
    payload: dict[str, Any]


def read_frame(text: str | bytes) -> Frame:
    """What a client sent; InvalidInput says what is wrong with it."""
    told = bodies.parse_object(text.encode() if isinstance(text, str) else text)
    for name in told:
        if name not in _PARTS:
            raise InvalidInput(name[:80], "is not a part of a frame.", sorted(_PARTS))
    kind = told.get("type")
    if kind not in SPOKEN:
        raise InvalidInput("type", "is not one that a client may send.", SPOKEN)
    topic = told.get("topic")
    if topic is not None and not isinstance(topic, str):
        raise InvalidInput("topic", "must be a string.")
    payload = {} if told.get("payload") is None else told["payload"]
    if not isinstance(payload, dict):
        raise InvalidInput("payload", "must be an object.")
    fields = _PAYLOADS[kind]
    payload = bodies.in_snake_case(payload, fields, "payload.")
    for name in payload:
        if name not in fields:
            raise InvalidInput(f"payload.{name[:80]}", "is not a field here.", sorted(fields))
    return Frame(kind, topic, payload)


def frame(kind: str, topic: str, payload: Mapping[str, Any], now_us: int) -> bytes:
    """What the server says, ready to be written."""
    return text_frame(
        bodies.encode(
            {"type": kind, "topic": topic, "payload": payload, "timestamp": to_rfc3339(now_us)}
        )
    )


def error_frame(error: BudgetError, now_us: int, cursor: int | None = None) -> bytes:
    """What was wrong: in words for people, with a code for programs."""
    payload: dict[str, Any] = {"error": str(error), "code": error.code}
    if isinstance(error, InvalidInput):
        payload["field"] = error.field
        if error.allowed:
            payload["allowed"] = list(error.allowed)
    if cursor is not None:
        payload["cursor"] = cursors.encode(max(cursor, 0))
    return frame("error", "error", payload, now_us)


def event_json(event: Event) -> bytes:
    """An event as it lies in its frame: as `GET /events` shows it, with its topic and cursor."""
    topic = TOPIC_OF[event.kind]
    cursor = cursors.encode(event.cursor)
    return bodies.encode(
        {
            "type": TYPES[topic],
            "topic": topic,
            "cursor": cursor,
            "payload": wire.event(event, cursor),
            "timestamp": to_rfc3339(event.at_us),
        }
    )


def event_frame(event: Event) -> bytes:
    """An event as a message of a WebSocket."""
    return text_frame(event_json(event))


def event_of_stream(event: Event) -> bytes:
    """An event as server-sent events have it: `id` is its cursor, `event` its type."""
    kind = TYPES[TOPIC_OF[event.kind]].encode()
    cursor = cursors.encode(event.cursor).encode()
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor, kind, event_json(event))

"""The door of OTLP: who may send traces, metrics and logs, and how they are answered.

    POST /v1/traces, /v1/metrics, /v1/logs

Answers and errors are those of the protocol, in the encoding of the request: `Status` in place of a
problem, and statuses that tell senders whether to send again. Not here: what is booked
(`neighbours.otel`).
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from budget.domain.errors import BudgetError, Forbidden, InvalidInput
from budget.http import bodies, problems
from budget.http.calls import Service
from budget.http.door.protection import protection_of
from budget.http.problems import Header, MethodNotAllowed, Reply
from budget.neighbours.otel.bounds import MAX_BODY_BYTES, TooLarge, unpacked
from budget.neighbours.otel.encodings import JSON, PROTOBUF, Encoding, encoding_of
from budget.neighbours.otel.receiver import PATHS, Busy, Otlp

_METHODS: Final = ("POST",)
_CODINGS: Final = ("", "gzip", "identity")
_CODES: Final[Mapping[int, int]] = {
    400: 3, 401: 16, 403: 7, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14,
}  # fmt: skip
"""The codes of gRPC by status, which `Status` has; 13 for the rest."""
_INTERNAL: Final = 13

_BAD_REQUEST: Final = 400


def doors(service: Service) -> Mapping[str, ASGIApp]:
    """What answers at each path, if the receiver is on."""
    otlp = None if service.neighbours is None else service.neighbours.get("otlp")
    if not isinstance(otlp, Otlp):
        return {}
    return dict.fromkeys(PATHS, partial(receive_otlp, service, otlp))


async def receive_otlp(
    service: Service, otlp: Otlp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one request of OTLP."""
    path = scope["path"]
    seen = service.observer.begin(scope, path)
    encoding = _encoding(scope)
    try:
        reply = await _reply(service, otlp, scope, receive, encoding)
    except bodies.ClientGone:
        return
    except Exception as error:  # noqa: BLE001 - the last stop: nobody is shown a traceback
        reply = _refusal(error, encoding)
    service.observer.end(seen, scope, path, reply)
    headers: list[Header] = [*protection_of(reply), *reply.headers, seen.header]
    headers.append((b"content-type", reply.media_type))
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _reply(
    service: Service, otlp: Otlp, scope: Scope, receive: Receive, encoding: Encoding | None
) -> Reply:
    method, headers = scope["method"], dict(scope["headers"])
    if method not in _METHODS:
        raise MethodNotAllowed(method, _METHODS)
    visitor = await service.door.admit(method, headers, scope.get("client"))
    scope["budget.actor"] = visitor.key.caller.actor
    if not visitor.key.allows("spend"):
        raise Forbidden("This key lacks the right `spend`; use one that has it.")
    if encoding is None:
        raise bodies.UnsupportedMediaType(f"Send {PROTOBUF} or {JSON}, and say so.")
    coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if coding not in _CODINGS:
        raise bodies.UnsupportedMediaType("Send it packed by gzip, or as it is.")
    body = await bodies.read_body(receive, headers, MAX_BODY_BYTES)
    signal = PATHS[scope["path"]]
    taken = await otlp.take(signal, unpacked(body, coding), encoding, visitor.key.caller)
    told = encoding.accepted(signal, taken.rejected, taken.why)
    return Reply(200, told, encoding.media_type.encode())


def _encoding(scope: Scope) -> Encoding | None:
    """What the request is said to be in, and the answer will be."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return encoding_of(value.decode("latin-1").partition(";")[0].strip().lower())
    return None


def _refusal(error: Exception, encoding: Encoding | None) -> Reply:
    """An error as the protocol tells it."""
    told = _known(error)
    reply = problems.reply_to(told) if told else problems.reply_to_unforeseen(error)
    status = _BAD_REQUEST if isinstance(error, InvalidInput) else reply.status
    if encoding is None:
        return reply._replace(status=status)
    why = told.detail if told else "Something went wrong that should not; the log tells of it."
    body = encoding.refused(_CODES.get(status, _INTERNAL), why)
    return Reply(status, body, encoding.media_type.encode(), reply.headers)


def _known(error: Exception) -> BudgetError | None:
    """The error as this face knows it; None for one that nobody foresaw."""
    if isinstance(error, TooLarge):
        return bodies.BodyTooLarge(error.detail)
    if isinstance(error, Busy):
        return problems.TooMany(error.detail, 1)
    return error if isinstance(error, BudgetError) else None

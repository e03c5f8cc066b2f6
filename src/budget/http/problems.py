"""Problems: every error and refusal as `application/problem+json`, and the status it has on HTTP.

Not here: what went wrong (`domain.errors`, `domain.answers.Refusal`).
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import structlog
from starlette.types import Receive, Send

from budget.domain import wire
from budget.domain.answers import Refusal
from budget.domain.errors import (
    BudgetError,
    BudgetRefused,
    Conflict,
    Forbidden,
    InvalidInput,
    KeyReused,
    NotFound,
    Unauthorized,
    Unavailable,
)
from budget.http.bodies import BodyTooLarge, BodyTooSlow, UnsupportedMediaType, encode

Header = tuple[bytes, bytes]

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
TOO_MANY_REQUESTS: Final = 429
PAYMENT_REQUIRED: Final = 402

log = structlog.get_logger("budget.http")


class Reply(NamedTuple):
    """An answer on its way out. With `stream` its body goes on: that sends it, piece by piece."""

    status: int
    body: bytes
    media_type: bytes = JSON
    headers: tuple[Header, ...] = ()
    stream: Callable[[Send, Receive], Awaitable[None]] | None = None


class NoRoute(BudgetError):
    """Nothing lies at this path."""

    code = "no_route"


class MethodNotAllowed(BudgetError):
    """Something lies at this path, but it does not take this method."""

    code = "method_not_allowed"

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__(f"{method[:20]} is not allowed here; allowed: {', '.join(allowed)}.")


class HostNotAllowed(BudgetError):
    """The request was meant for another host."""

    code = "host_not_allowed"


class TooMany(BudgetError):
    """Too many in too short a time: failed attempts, or requests of one key."""

    code = "too_many_attempts"

    def __init__(self, detail: str, retry_after_seconds: int, *, code: str | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail, code=code)


class Malformed(BudgetError):
    """It is no HTTP request."""

    code = "malformed_request"


class HeadersTooLarge(BudgetError):
    """More bytes of headers than a request may have."""

    code = "headers_too_large"


class HeadersTooSlow(BudgetError):
    """The head of a request did not arrive in time."""

    code = "headers_too_slow"


STATUSES: Final[Mapping[type[BudgetError], int]] = {
    InvalidInput: 422,
    KeyReused: 422,
    NotFound: 404,
    Conflict: 409,
    Unauthorized: 401,
    Forbidden: 403,
    Unavailable: 503,
    Malformed: 400,
    NoRoute: 404,
    MethodNotAllowed: 405,
    BodyTooSlow: 408,
    HeadersTooSlow: 408,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    HostNotAllowed: 421,
    HeadersTooLarge: 431,
    TooMany: TOO_MANY_REQUESTS,
}
"""The status of each class of errors; a subclass has that of its nearest base."""


def status_of(error: BudgetError) -> int:
    """The status of an error."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return 500


def status_of_refusal(refusal: Refusal) -> int:
    """429 when the limit that resets last does so soon, else 402: clients retry 429 themselves."""
    if refusal.resets_us is None:
        return PAYMENT_REQUIRED
    return TOO_MANY_REQUESTS if refusal.every[0].soon else PAYMENT_REQUIRED


def reply_to(error: BudgetError, refusal_status: int | None = None) -> Reply:
    """An error or a refusal as its caller sees it; every refusal has `refusal_status` if given."""
    if isinstance(error, BudgetRefused):
        return _refused(error.refusal, refusal_status or status_of_refusal(error.refusal))
    headers: list[Header] = []
    more: dict[str, Any] = {}
    if isinstance(error, InvalidInput):
        more = {"field": error.field, "allowed": list(error.allowed)}
    elif isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    elif isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b'Bearer realm="budget"'))
    elif isinstance(error, Unavailable | TooMany):
        more = {"retry_after_seconds": error.retry_after_seconds}
        headers.append(_retry_after(error.retry_after_seconds))
    elif isinstance(error, BodyTooLarge | BodyTooSlow):
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    return _problem(status_of(error), error.code, error.detail, more, headers)


def _refused(refusal: Refusal, status: int) -> Reply:
    told = dict(wire.refusal(refusal))
    retry = told["retry_after_seconds"]
    headers: list[Header] = []
    if status == TOO_MANY_REQUESTS and isinstance(retry, int):
        headers.append(_retry_after(retry))
    return _problem(status, refusal.code, refusal.detail, told, headers)


def reply_to_unforeseen(error: Exception) -> Reply:
    """What a caller is told of an error nobody foresaw: an id, under which the log tells all."""
    trace_id = secrets.token_hex(8)
    log.error("unforeseen", trace_id=trace_id, exc_info=error)
    detail = f"Something went wrong that should not; the service's log tells of it as {trace_id}."
    return _problem(500, "internal_error", detail, {"trace_id": trace_id}, [])


def _retry_after(seconds: int) -> Header:
    return b"retry-after", str(seconds).encode()


def _problem(
    status: int, code: str, detail: str, more: Mapping[str, Any], headers: list[Header]
) -> Reply:
    told = {
        "type": f"urn:budget:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    return Reply(status, encode(told), PROBLEM, tuple(headers))

"""The door of MCP: who may speak the protocol at `/mcp`, and how much they may send.

Keys, rights, rates and bounds are those of every route. Not here: what is answered (`budget.mcp`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send

from budget.domain.errors import BudgetError, Forbidden
from budget.http import bodies, problems
from budget.http.calls import Service
from budget.http.door.door import Visitor
from budget.http.door.protection import protection_of
from budget.http.live.origins import may_open
from budget.http.problems import Header, MethodNotAllowed, Reply
from budget.mcp.asking import Guest
from budget.mcp.envelope import flaw_of
from budget.mcp.transport import Transport

PATH: Final = "/mcp"
MAX_BODY_BYTES: Final = 1024 * 1024
METHODS: Final = ("POST", "GET", "DELETE")
LOOK_SECONDS: Final = 2.0
"""How often it is looked whether the key of who still listens is still good."""

_STREAM: Final = b"text/event-stream"
_JSON: Final = b"application/json"
_SESSION: Final = b"mcp-session-id"
_BAD_REQUEST: Final = 400


async def speak(
    service: Service, transport: Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one request of the protocol."""
    seen = service.observer.begin(scope, PATH)
    sending = _Sending(send, seen.header)
    try:
        await _answer(service, transport, scope, receive, sending)
    except bodies.ClientGone:
        return
    except Exception as error:  # noqa: BLE001 - the last stop: nobody is shown a traceback
        await sending.fail(error)
    finally:
        service.observer.end(seen, scope, PATH, Reply(sending.status or 499, b""))


async def _answer(
    service: Service, transport: Transport, scope: Scope, receive: Receive, sending: "_Sending"
) -> None:
    method, headers = scope["method"], dict(scope["headers"])
    if method not in METHODS:
        raise MethodNotAllowed(method, METHODS)
    if not may_open(headers, service.door.settings):
        raise Forbidden("Another site's page made this request.", code="cross_site")
    visitor = await service.door.admit(method, headers, scope.get("client"))
    body = await bodies.read_body(receive, headers, MAX_BODY_BYTES)
    flaw = flaw_of(body) if method == "POST" else None
    if flaw is not None:
        await sending.reply(Reply(_BAD_REQUEST, flaw.answer, _JSON))
        return
    caller = visitor.key.caller
    scope["budget.actor"] = caller.actor
    bound = tuple(sorted(caller.bound.items()))
    books = service.budget.acting_as(caller)
    guest = Guest(books, frozenset(visitor.key.scopes), caller.actor, bound)
    answering = transport.answer(guest, caller.actor, scope, _replayed(body, receive), sending)
    if not await _while_good(service, visitor, answering):
        await sending.cut()


async def _while_good(service: Service, visitor: Visitor, answering: Awaitable[None]) -> bool:
    """Answer for as long as the key is good, for a stream may stay open for hours; whether it was
    good all the time.
    """
    task = asyncio.ensure_future(answering)
    try:
        while not (await asyncio.wait((task,), timeout=LOOK_SECONDS))[0]:
            if not await _still_in(service, visitor):
                return False
        task.result()
        return True
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))


async def _still_in(service: Service, visitor: Visitor) -> bool:
    try:
        return await service.door.still_in(visitor)
    except BudgetError:  # the books cannot be read now: whoever is in stays
        return True


def _replayed(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """The body, whole, as it comes from a caller; then whatever comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


class _Sending:
    """The way out: every answer gets the headers that all have, and its status is noted."""

    def __init__(self, send: Send, header: Header) -> None:
        self.status = 0
        self._ended = False
        self._send = send
        self._header = header

    async def __call__(self, message: Any) -> None:
        """Send a part of an answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._headers(message["headers"])}
        else:
            self._ended = not message.get("more_body", False)
        await self._send(message)

    async def cut(self) -> None:
        """End a stream that would go on."""
        if self.status and not self._ended:
            await self({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, error: Exception) -> None:
        """Tell of an error, if nothing has been told yet."""
        if self.status:
            raise error
        if isinstance(error, BudgetError):
            reply = problems.reply_to(error)
        else:
            reply = problems.reply_to_unforeseen(error)
        await self.reply(reply)

    async def reply(self, reply: Reply) -> None:
        """Send an answer that is whole."""
        length = (b"content-length", str(len(reply.body)).encode())
        told = [(b"content-type", reply.media_type), length, *reply.headers]
        await self({"type": "http.response.start", "status": reply.status, "headers": told})
        await self({"type": "http.response.body", "body": reply.body})

    def _headers(self, given: Any) -> list[Header]:
        said = {name for name, _ in given}
        protection = protection_of(Reply(self.status, b"", _STREAM))
        if self.status >= _BAD_REQUEST:  # no session was opened, whatever the SDK says
            given = [one for one in given if one[0].lower() != _SESSION]
        return [*given, *(one for one in protection if one[0] not in said), self._header]

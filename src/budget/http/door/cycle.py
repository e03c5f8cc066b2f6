"""Cycle: one request over HTTP/1.1 and its answer, as ASGI has them; in place of uvicorn's.

An answer goes out in as few pieces as it can, a whole one with its head; and whoever has to know
that the caller went is called, so that no task waits for it. Not here: the connection (`patience`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE

Header = tuple[bytes, bytes]

WHEN_GONE: Final = "budget.when_gone"
"""In a scope's `extensions`: takes what to call if the caller goes before all is answered."""
MOST_PENDING_BYTES: Final = 64 * 1024
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS: Final = (204, 304)

log = logging.getLogger("uvicorn.error")


class Cycle:
    """What uvicorn's protocol calls and looks at, and `receive` and `send` of ASGI."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scope: Scope,
        transport: asyncio.Transport,
        flow: FlowControl,
        *,
        keep_alive: bool,
        expects_word: bool,
        first: Iterable[Header],
        on_response: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.more_body = True
        self.message_event = asyncio.Event()
        self.disconnected = self.response_started = self.response_complete = False
        self._loop = loop
        self._transport = transport
        self._flow = flow
        self._first = first
        self._on_response = on_response
        self._expects_word = expects_word
        self._has_body = scope["method"] != "HEAD"
        self._is_chunked = False
        self._left_bytes = 0  # of the length that the head tells
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._when_gone: Callable[[], None] | None = None
        scope["extensions"] = {WHEN_GONE: self.when_gone}

    async def run_asgi(self, app: ASGIApp) -> None:
        """Have it answered; a connection whose answer is not whole is closed."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:  # the last stop, as in uvicorn
            log.error("Exception in ASGI application\n", exc_info=error)
        if not self.response_started:
            await self._fail()
        elif not self.response_complete and not self.disconnected:
            log.error("ASGI callable returned without completing response.")
            self._flush()
            self._transport.close()
        # What knows of each other would have to wait for the collector.
        self._on_response, self._when_gone = _nothing, None
        del self.scope["extensions"]

    async def receive(self) -> Message:
        """The next of the body, or that the caller is gone or answered."""
        if self._expects_word and not self._transport.is_closing():
            self._transport.write(_CONTINUE)
            self._expects_word = False
        if not self.disconnected and not self.response_complete:
            self._flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def when_gone(self, act: Callable[[], None]) -> None:
        """Call this if the caller goes before all is answered; at once, if they have gone."""
        if self.disconnected:
            act()
            return
        self._when_gone = act
        self._flow.resume_reading()  # who does not read does not hear of it

    def lost(self) -> None:
        """The caller is gone."""
        if self.response_complete:
            return
        self.disconnected = True
        self.message_event.set()
        act, self._when_gone = self._when_gone, None
        if act is not None:
            act()

    # --- The answer ------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Send the head, or more of the body."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self._begin(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            self._go_on(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} is out of its turn")

    def _begin(self, status: int, given: Iterable[Header]) -> None:
        headers = [*self._first, *given]
        _check(headers)
        self.response_started = True
        self._expects_word = False
        lines = [STATUS_LINE[status]]
        is_sized = says_close = False
        for name, value in headers:
            if name == b"content-length":
                self._left_bytes = int(value) if self._has_body else 0
                is_sized = True
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive = False
                says_close = True
            lines += (name, b": ", value, b"\r\n")
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close\r\n")
        if self._has_body and not is_sized and status not in _BODILESS:
            self._is_chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self._write(b"".join(lines))

    def _go_on(self, body: bytes, more: bool) -> None:
        if self._is_chunked:
            piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._write(piece if more else piece + b"0\r\n\r\n")
        elif self._has_body:
            self._left_bytes -= len(body)
            if self._left_bytes < 0 or (self._left_bytes and not more):
                raise RuntimeError("a body is not as long as its head says")
            self._write(body)
        if more:
            return
        self.response_complete = True
        self._flush()
        self.message_event.set()
        if not self.keep_alive:
            self._transport.close()
        self._on_response()

    def _write(self, piece: bytes) -> None:
        """Send this by the end of this turn of the loop, with what else there is until then. Only
        the head of an answer whose length is known waits for the body, which is at hand.
        """
        if self._is_chunked and not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes > MOST_PENDING_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._pending and not self.disconnected:
            pending, self._pending, self._pending_bytes = self._pending, [], 0
            self._transport.write(b"".join(pending))

    async def _fail(self) -> None:
        """Answer for an application that did not."""
        body = b"Internal Server Error"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _check(headers: Iterable[Header]) -> None:
    """RuntimeError if a header would be another one, or none."""
    names = b"".join([name for name, _ in headers])
    values = b"".join([value for _, value in headers])
    if HEADER_RE.search(names) or HEADER_VALUE_RE.search(values):
        raise RuntimeError("an answer has a header that is none")


def _nothing() -> None:
    """What is called when nobody is to be told."""

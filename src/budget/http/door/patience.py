"""Patience: how long a connection may take to say what it wants, before it is cut.

uvicorn's protocol, with one timer: it runs only while a request is there in part, so that requests
that arrive whole, nearly all, set none. Not here: what is in a request (`app`, `bodies`).
"""

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from budget.domain.errors import BudgetError
from budget.http.bodies import READ_SECONDS, BodyTooSlow
from budget.http.door.protection import protection_of
from budget.http.problems import HeadersTooLarge, HeadersTooSlow, Malformed, reply_to

HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = READ_SECONDS + 1
"""A little longer than the application waits for the rest of a body, once it has some of it."""
MAX_HEAD_BYTES: Final = 64 * 1024
"""Of a head that has not arrived in full; the application is stricter with one that has."""


class PatientProtocol(HttpToolsProtocol):
    """A connection: its head and its body have so long to arrive, and its head so many bytes."""

    head_seconds: ClassVar[float] = HEAD_SECONDS
    body_seconds: ClassVar[float] = BODY_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _part = ""  # of a request that is there in part: "head" or "body"
    _head_bytes = 0
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected: a request has to follow."""
        super().connection_made(transport)
        self._wait(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a request that is there in part now has to arrive in time."""
        super().data_received(data)
        if self._part == "head":
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._cut(HeadersTooLarge(f"Headers may have at most {MAX_HEAD_BYTES} bytes."))
            elif self._timer is None:
                self._wait(self.head_seconds)
        elif self._timer is not None:
            return
        elif self._part == "body":
            self._wait(self.body_seconds)
        elif not self._answering():
            self._wait(self.head_seconds)  # blank lines between requests keep nothing open

    def on_message_begin(self) -> None:
        """A request begins."""
        self._part = "head"
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._part = "body"
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._part = ""
        self._stop_waiting()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here on it is no business of HTTP."""
        self._part = ""
        self._upgraded = True
        self._stop_waiting()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        del msg
        self._stop_waiting()
        self._cut(Malformed("This is no HTTP request that can be read."))

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        if not (self._upgraded or self.transport.is_closing()):
            self._timer = self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        self._timer = None
        if self._part == "head":
            self._cut(HeadersTooSlow("The head of the request did not arrive in time."))
        elif self._part == "body":
            self._cut(BodyTooSlow("The body did not arrive in time."))
        else:
            self.transport.close()

    def _answering(self) -> bool:
        """Whether a request is there that has not been answered in full."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _cut(self, error: BudgetError) -> None:
        """Close, and say why unless an answer is under way."""
        if self.transport.is_closing():
            return
        if not (self._answering() and self.cycle.response_started):
            reply = reply_to(error)
            headers = [
                *self.server_state.default_headers,
                *protection_of(reply),
                (b"content-type", reply.media_type),
                (b"content-length", str(len(reply.body)).encode()),
                (b"connection", b"close"),
            ]
            lines = b"\r\n".join(b": ".join(header) for header in headers)
            self.transport.write(STATUS_LINE[reply.status] + lines + b"\r\n\r\n" + reply.body)
        self.transport.close()


def protocol(head_seconds: float = HEAD_SECONDS, body_seconds: float = BODY_SECONDS) -> type[Any]:
    """The protocol with so much patience."""
    named = {"head_seconds": head_seconds, "body_seconds": body_seconds}
    return type("PatientProtocol", (PatientProtocol,), named)

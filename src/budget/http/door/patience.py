"""Patience: how long a connection may take to say what it wants, before it is cut.

uvicorn's protocol, with two timers. One runs only while a request is there in part, so that those
that arrive whole, nearly all, set none; the other, for connections that are kept, goes on over many
requests. Not here: what is in a request (`app`, `bodies`), and how it is answered (`cycle`).
"""

import asyncio
import urllib.parse
from typing import Any, ClassVar, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from budget.domain.errors import BudgetError
from budget.http.bodies import READ_SECONDS, BodyTooSlow
from budget.http.door.cycle import Cycle
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
    _answered: Cycle | None = None  # the request that is being answered, or was last
    _answered_at = 0.0  # since when nothing is asked; 0: something is

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected: a request has to follow."""
        super().connection_made(transport)
        self._wait(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._stop_waiting()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)
        for cycle in (self._answered, self.cycle):
            if isinstance(cycle, Cycle):
                cycle.lost()
        self._answered = None

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
        version, scope = self.parser.get_http_version(), self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        parsed = httptools.parse_url(self.url)
        path = parsed.path.decode("ascii")
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = parsed.path
        scope["query_string"] = parsed.query or b""
        before: Any = self.cycle
        cycle: Any = Cycle(
            self.loop, scope, self.transport, self.flow,  # type: ignore[arg-type]
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            expects_word=self.expect_100_continue,
            first=self.server_state.default_headers,
            on_response=self.on_response_complete,
        )  # fmt: skip
        self.cycle = cycle
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:  # it was sent before the answer to another
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._part = ""
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered: the next one, if it is here, or some time to ask it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if nothing was asked for long; look again if that is yet to come."""
        self.timeout_keep_alive_task = None
        if not self._answered_at:
            return  # one is being answered, whose end sets the timer
        left_seconds = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left_seconds > 0:
            self._look_after(left_seconds)
        else:
            super().timeout_keep_alive_handler()

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def _unset_keepalive_if_required(self) -> None:
        """Something is asked. The timer goes on: to stop and set it for each would cost more."""
        self._answered_at = 0.0

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

"""Connection: one kept HTTP/1.1 connection to an upstream: a request out, its answer in pieces.

As lean as can be, on httptools: an answer costs a fraction of what a general client takes for it.
Not here: which connection a request takes (`sending`).
"""

import asyncio
from typing import Any, Final

import httptools

MAX_HEAD_BYTES: Final = 64 * 1024
MOST_UNREAD_BYTES: Final = 1024 * 1024
"""When so much waits for its reader the upstream is asked to wait too."""
PART_BYTES: Final = 512 * 1024
"""A longer body is sent in parts, so that others have their turn between."""
_INFORMATION: Final = 200

RawHeaders = tuple[tuple[bytes, bytes], ...]


class BrokenOff(Exception):
    """The connection ended, or what came over it is no HTTP."""


class Connection(asyncio.Protocol):
    """Carries one request at a time, and the next one if `end` says that it can."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.released_at = 0.0
        self.status = 0
        self.headers: RawHeaders = ()
        self.is_open = False
        self._loop = loop
        self._transport: Any = None
        self._parser: Any = None
        self._head: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._pieces: list[bytes] = []
        self._unread_bytes = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._waits_since = 0.0
        self._writable: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        self._silence_seconds = 0.0
        self._is_asked = self._has_head = self._is_whole = self._is_paused = False
        self._is_bodiless = self._is_sized = self._may_stay = False

    # --- For the sender ---------------------------------------------------------------------------

    async def ask(
        self, head: bytes, body: bytes, silence_seconds: float, *, bodiless: bool
    ) -> None:
        """Send a request and wait for the head of its answer. BrokenOff, TimeoutError: none came.

        `bodiless`: the answer has no body whatever its head says, as that to HEAD.
        """
        self._begin(silence_seconds, bodiless=bodiless)
        if len(body) <= PART_BYTES:
            self._transport.write(head + body)
        else:
            await self._write_in_parts(head, body)
        while not self._has_head:
            await self._wait()

    async def read(self) -> bytes:
        """What has come of the body, once there is any; empty at its end. Raises as `ask` does."""
        while not self._pieces and not self._is_whole:
            await self._wait()
        pieces = self._pieces
        self._pieces, self._unread_bytes = [], 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> bool:
        """The request is done with; whether the connection can carry another, else it is closed."""
        self._is_asked = False
        kept = (
            self.is_open
            and self._is_whole
            and self._may_stay
            and self._error is None
            and not self._is_paused
        )
        self._pieces, self._unread_bytes, self.released_at = [], 0, self._loop.time()
        if not kept:
            self.close()
        elif self._is_bodiless:
            self._parser = None  # it waits for the body that the head told of
        return kept

    def close(self) -> None:
        """Close it at once."""
        self.is_open = False
        self._stop_looking()
        if self._transport is not None:
            self._transport.abort()

    # --- For the event loop -----------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """It is open."""
        self._transport = transport
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed; that may be the end of a body that is as long as it is."""
        self.is_open = False
        self._stop_looking()
        if self._has_head and not self._is_sized and exc is None:
            self._is_whole = True
        elif not self._is_whole:
            self._fail(BrokenOff(type(exc).__name__ if exc else "closed"))
        self._wake()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def eof_received(self) -> bool:
        """The upstream sends no more: nothing more is sent to it either."""
        return False

    def data_received(self, data: bytes) -> None:
        """Hear more of the answer."""
        if not self._is_asked or self._is_whole:
            self.close()  # nobody asked
            return
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if not self._has_head and self._head_bytes > MAX_HEAD_BYTES:
                raise httptools.HttpParserError("the head is too long")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(BrokenOff(type(error).__name__))
            self.close()
        if self._unread_bytes > MOST_UNREAD_BYTES and not self._is_paused and not self._is_whole:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def pause_writing(self) -> None:
        """More waits to be sent than should."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """There is room again."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- For the parser ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; nobody asked for a second one."""
        if self._is_whole:
            self._may_stay = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Hear a header; those of a trailer are left out."""
        if self._has_head:
            return
        name = name.lower()
        self._head.append((name, value))
        is_chunked = name == b"transfer-encoding" and b"chunked" in value.lower()
        if is_chunked or name == b"content-length":
            self._is_sized = True  # where the body ends is said

    def on_headers_complete(self) -> None:
        """The head is there; one that only informs is followed by another."""
        status = self._parser.get_status_code()
        if self._has_head:
            return
        if sum([len(name) + len(value) for name, value in self._head]) > MAX_HEAD_BYTES:
            raise BrokenOff  # which the parser makes an error of its own
        if status < _INFORMATION:
            self._head, self._is_sized = [], False
            return
        self.status, self.headers, self._has_head = status, tuple(self._head), True
        if self._is_bodiless or status in (204, 304):
            self._is_sized = True
        self._may_stay = self._is_sized and bool(self._parser.should_keep_alive())
        if self._is_bodiless:
            self._is_whole = True

    def on_body(self, body: bytes) -> None:
        """Hear a piece of the body."""
        self._pieces.append(body)
        self._unread_bytes += len(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._has_head:
            self._is_whole = True

    # --- Within -----------------------------------------------------------------------------------

    def _begin(self, silence_seconds: float, *, bodiless: bool) -> None:
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._is_asked, self._is_bodiless = True, bodiless
        self._has_head = self._is_whole = self._is_sized = False
        self._head, self._head_bytes = [], 0
        self._silence_seconds = silence_seconds
        # A timer goes on over many requests: to stop and set one for each would cost more.
        if self._timer is None or self._looks_at > self._loop.time() + silence_seconds:
            self._look_in(silence_seconds)

    async def _write_in_parts(self, head: bytes, body: bytes) -> None:
        self._transport.write(head)
        for at in range(0, len(body), PART_BYTES):
            if self._has_head or self._error is not None:
                return  # answered before all of it was sent: with an error, mostly
            self._transport.write(body[at : at + PART_BYTES])
            if self._writable is not None:
                self._waits_since = self._loop.time()
                await self._writable
            else:
                await asyncio.sleep(0)

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waits_since = self._loop.time()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error

    def _look(self) -> None:
        """See whether the upstream has been silent for too long while somebody waits."""
        self._timer = None
        if not self._is_asked:
            return  # the next request will have it looked at
        waits = self._waiter is not None or self._writable is not None
        waited_seconds = self._loop.time() - self._waits_since if waits else 0.0
        left_seconds = self._silence_seconds - waited_seconds
        if left_seconds > 0:
            self._look_in(left_seconds)
            return
        self._fail(TimeoutError())
        self.close()
        self._wake()

    def _look_in(self, seconds: float) -> None:
        self._stop_looking()
        self._looks_at = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._look)

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

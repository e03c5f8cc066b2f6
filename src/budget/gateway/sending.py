"""Sending: requests to upstreams over kept connections, and what they answer, piece by piece.

What goes wrong is told as `Failed`: whether the request may have arrived decides whether it is paid
for. Not here: HTTP itself (`connection`), where to (`upstreams`), what answers mean (`formats`).
"""

import asyncio
import ssl
import weakref
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from budget.gateway.connection import BrokenOff, Connection, RawHeaders

CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 600.0
"""How long an upstream may say nothing."""
KEPT_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 15.0
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024

Phase = Literal["connecting", "waiting", "reading", "booking"]


class Failed(Exception):
    """An upstream could not be reached, or broke off. `phase`: how far the call had come."""

    def __init__(self, phase: Phase, detail: str, *, timed_out: bool = False) -> None:
        super().__init__(detail)
        self.phase = phase
        self.detail = detail
        self.timed_out = timed_out


class Answer:
    """An upstream's answer, open until `close`."""

    __slots__ = ("_connection", "_kept", "headers", "status")

    def __init__(self, connection: Connection, kept: "list[Connection]") -> None:
        self._connection: Connection | None = connection
        self._kept = kept
        self.status = connection.status
        self.headers: RawHeaders = connection.headers

    def header(self, name: str) -> str:
        """A header's value; empty without it."""
        sought = name.lower().encode()
        for given, value in self.headers:
            if given == sought:
                return value.decode("latin-1")
        return ""

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; Failed where it breaks off."""
        return self

    def __aiter__(self) -> "Answer":
        return self

    async def __anext__(self) -> bytes:
        if self._connection is None:
            raise StopAsyncIteration
        try:
            piece = await self._connection.read()
        except TimeoutError as error:
            raise Failed("reading", "the upstream fell silent", timed_out=True) from error
        except BrokenOff as error:
            raise Failed("reading", f"the upstream broke off ({error})") from error
        if not piece:
            raise StopAsyncIteration
        return piece

    async def whole(self) -> bytes:
        """The whole body; Failed if it breaks off, or is longer than any answer."""
        parts: list[bytes] = []
        total_bytes = 0
        async for piece in self.pieces():
            parts.append(piece)
            total_bytes += len(piece)
            if total_bytes > MAX_ANSWER_BYTES:
                raise Failed("reading", "the upstream's answer is too long")
        self.close()
        return b"".join(parts)

    def close(self) -> None:
        """Let go of it: the connection is kept if the body came to its end, else closed."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.end():
            self._kept.append(connection)


class _Origin(NamedTuple):
    """Where connections lead."""

    host: str
    port: int
    is_tls: bool
    named: bytes
    """As it stands in the header Host."""


class Sender:
    """Kept connections to upstreams; open on one event loop until `close`."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, list[Connection]] = defaultdict(list)
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._looking: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Answer:
        """Send a request; its answer once the headers are there. Failed where there is none."""
        end = url.find("/", url.index("//") + 2)
        place, path = (url, "/") if end < 0 else (url[:end], url[end:])
        origin = _origin(place)
        head = _head(method, path, origin.named, headers, body)
        kept = self._kept[place]
        connection = _taken(kept) or await self._connect(origin)
        try:
            await connection.ask(head, body or b"", silence_seconds, bodiless=method == "HEAD")
        except TimeoutError as error:
            connection.end()
            raise Failed(
                "waiting", "the upstream did not answer in time", timed_out=True
            ) from error
        except BrokenOff as error:
            connection.end()
            raise Failed("waiting", f"the upstream broke off ({error})") from error
        except BaseException:
            connection.end()
            raise
        return Answer(connection, kept)

    async def _connect(self, origin: _Origin) -> Connection:
        loop = asyncio.get_running_loop()
        if self._looking is None:
            self._looking = loop.call_later(LOOK_SECONDS, self._look, loop)
        if origin.is_tls and self._tls is None:
            self._tls = await asyncio.to_thread(_tls)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop), origin.host, origin.port,
                    ssl=self._tls if origin.is_tls else None,
                )  # fmt: skip
        except (OSError, UnicodeError) as error:  # TimeoutError and errors of TLS are OSErrors
            raise Failed(
                "connecting", f"the upstream cannot be reached ({type(error).__name__})"
            ) from error
        self._all.add(connection)
        return connection

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close connections that nobody has used for a while."""
        before = loop.time() - KEPT_SECONDS
        for kept in self._kept.values():
            for connection in kept:
                if connection.released_at < before:
                    connection.close()
            kept[:] = [connection for connection in kept if connection.is_open]
        self._looking = loop.call_later(LOOK_SECONDS, self._look, loop)

    async def close(self) -> None:
        """Close all connections."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        for connection in tuple(self._all):
            connection.close()
        self._kept.clear()
        await asyncio.sleep(0)


def _taken(kept: list[Connection]) -> Connection | None:
    """The connection that was used last, if one is open."""
    while kept:
        connection = kept.pop()
        if connection.is_open:
            return connection
    return None


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(256)
def _origin(place: str) -> _Origin:
    parts = urlsplit(place)
    is_tls = parts.scheme == "https"
    host = parts.hostname or ""
    named = parts.netloc.rpartition("@")[2]
    if not named.isascii():
        named = named.encode("idna").decode()
    return _Origin(host, parts.port or (443 if is_tls else 80), is_tls, named.encode())


def _head(
    method: str, path: str, host: bytes, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """The head of a request. Failed if anything in it would end a line."""
    lines = [f"{method} {path} HTTP/1.1", *map(": ".join, headers.items())]
    if body is not None or method not in ("GET", "HEAD", "DELETE"):
        lines.append(f"content-length: {len(body or b'')}")
    text = "\r\n".join(lines)
    if text.count("\r") + text.count("\n") != 2 * len(lines) - 2 or "\0" in text:
        raise Failed("connecting", "the request has a header that is none")
    return text.encode("latin-1", "replace") + b"\r\nhost: " + host + b"\r\n\r\n"

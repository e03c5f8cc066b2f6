"""Lines: plain HTTP/1.1 to a service on this machine, over connections that are kept.

No proxy, no TLS and no compression come between, so that little is left to do for each request: a
call that spends waits for this. Not here: services elsewhere, and streams of events (`transport`).
"""

import select
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from io import BufferedReader
from typing import Final
from urllib.parse import urlsplit

from budget.client.judging import Answer
from budget.client.retrying import Lost, Tries, Unreached
from budget.client.sending import Address, Sent
from budget.domain.errors import InvalidInput, Unavailable

CONNECT_SECONDS: Final = 2.0
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
CONNECTIONS: Final = 100
"""How many calls may be under way at once; more wait for their turn."""

MAX_TARGET_CHARS: Final = 65_536
_KEPT: Final = 20
_PIECE_BYTES: Final = 65_536
_MAX_LINE_BYTES: Final = 65_536
_MAX_HEADERS: Final = 200
_BODILESS: Final = (204, 304)
_FIRST_FINAL: Final = 200
_STATUS_DIGITS: Final = 3


def is_near(address: Address) -> bool:
    """Whether a service can be reached so."""
    url = address.url
    return address.near and url.startswith("http://") and url.isascii() and url.isprintable()


class _Line:
    """A connection, from `_connected` to `close`."""

    __slots__ = ("reader", "socket")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.reader: BufferedReader = connected.makefile("rb")

    @property
    def quiet(self) -> bool:
        """Whether it is still open, and nothing came that nobody asked for."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self.reader.close()
        self.socket.close()


class Lines:
    """Connections to one service, made when they are needed; any thread may ask."""

    def __init__(self, address: Address) -> None:
        parts = urlsplit(address.url)
        self._at = parts.hostname or "", parts.port or 80
        self._path = parts.path
        told = {"Host": parts.netloc, **address.headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._idle: deque[_Line] = deque()
        self._turns = threading.BoundedSemaphore(CONNECTIONS)
        self._closed = False

    def close(self) -> None:
        """Close what is idle now, and the rest as soon as its answer is there."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def exchange(self, sent: Sent, tries: Tries) -> Answer:
        """Send a request and read its answer. Unreached, or Lost if it may have been seen."""
        request, seconds = self._written(sent), tries.seconds
        if not self._turns.acquire(timeout=seconds):
            raise Unreached("all connections are in use")
        try:
            return self._asked(self._line(seconds), request, tries, seconds)
        finally:
            self._turns.release()

    def _written(self, sent: Sent) -> bytes:
        if len(sent.target) > MAX_TARGET_CHARS:
            raise InvalidInput("request", "is too long for an address.")
        more = "".join(f"{name}: {value}\r\n" for name, value in sent.headers.items())
        content = sent.content or b""
        if content or sent.method != "GET":
            more += f"Content-Length: {len(content)}\r\n"
        head = f"{sent.method} {self._path}{sent.target} HTTP/1.1\r\n{self._headers}{more}\r\n"
        return head.encode("ascii") + content

    def _line(self, seconds: float) -> _Line:
        """A connection that was used before, if one is still good; else a new one."""
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return self._connected(seconds)
            if line.quiet:
                return line
            line.close()

    def _connected(self, seconds: float) -> _Line:
        try:
            made = socket.create_connection(self._at, min(seconds, CONNECT_SECONDS))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Unreached(str(error) or type(error).__name__) from None
        return _Line(made)

    def _asked(self, line: _Line, request: bytes, tries: Tries, seconds: float) -> Answer:
        keep = False
        try:
            line.socket.settimeout(seconds)
            line.socket.sendall(request)
            answer, keep = _answer(line.reader, tries)
            keep = keep and not self._closed and len(self._idle) < _KEPT
        except (OSError, ValueError) as error:
            raise Lost(str(error) or type(error).__name__) from None
        finally:
            if keep:
                self._idle.append(line)
            else:
                line.close()
        return answer


def _answer(reader: BufferedReader, tries: Tries) -> tuple[Answer, bool]:
    """The next answer, and whether the connection may be used again. ValueError if it is none."""
    version, status = _status(_text(reader, tries))
    headers = _headers(reader, tries)
    while status < _FIRST_FINAL:  # others only say that the answer will come
        version, status = _status(_text(reader, tries))
        headers = _headers(reader, tries)
    goes_on = headers.get("connection", "").lower()
    keep = version == "HTTP/1.1" and goes_on != "close"
    if status in _BODILESS:
        return Answer(status, headers, b""), keep
    length = headers.get("content-length")
    if "transfer-encoding" in headers:
        pieces = _chunks(reader, tries)
    elif length is not None:
        pieces = _counted(reader, _number(length, 10))
    else:
        pieces, keep = iter(lambda: reader.read1(_PIECE_BYTES), b""), False
    return Answer(status, headers, _joined(pieces, tries)), keep


def _text(reader: BufferedReader, tries: Tries) -> str:
    """One line, without its end."""
    line = reader.readline(_MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise ValueError("the connection ended before the answer" if not line else "no HTTP")
    if tries.over:
        raise Lost("the answer took too long")
    return line.decode("latin-1").rstrip("\r\n")


def _status(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    told = rest[:_STATUS_DIGITS]
    if not version.startswith("HTTP/1.") or len(told) < _STATUS_DIGITS:
        raise ValueError("what answers does not speak HTTP")
    return version, _number(told, 10)


def _headers(reader: BufferedReader, tries: Tries) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    while line := _text(reader, tries):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
        if len(headers) > _MAX_HEADERS:
            raise ValueError("the answer has too many headers")
    return headers


def _number(text: str, base: int) -> int:
    if not text.isascii() or not text.isalnum():
        raise ValueError("what answers does not speak HTTP")
    return int(text, base)


def _counted(reader: BufferedReader, left: int) -> Iterator[bytes]:
    """A body, or a chunk, of so many bytes."""
    while left:
        piece = reader.read1(min(left, _PIECE_BYTES))
        if not piece:
            raise ValueError("the connection ended within the answer")
        left -= len(piece)
        yield piece


def _chunks(reader: BufferedReader, tries: Tries) -> Iterator[bytes]:
    """A body that comes in chunks, to its end."""
    while size := _number(_text(reader, tries).partition(";")[0].strip(), 16):
        yield from _counted(reader, size)
        _text(reader, tries)
    _headers(reader, tries)


def _joined(pieces: Iterator[bytes], tries: Tries) -> bytes:
    """A body, unless it grows without end or takes too long."""
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise too_long(tries.url)
        if tries.over:
            raise Lost("the answer took too long")
    return bytes(body)


def too_long(url: str) -> Unavailable:
    """The error for an answer that grows without end."""
    return Unavailable(
        f"{url} answered more than {MAX_ANSWER_BYTES} bytes, which Budget does not.",
        code="not_budget",
    )

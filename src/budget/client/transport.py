"""The transport: requests there and answers back, over connections that are kept.

Not here: when to try again (`retrying`), and what an answer means (`judging`).
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from budget.client.judging import Answer, judged
from budget.client.lines import (
    CONNECT_SECONDS,
    CONNECTIONS,
    MAX_ANSWER_BYTES,
    Lines,
    is_near,
    too_long,
)
from budget.client.request import Request
from budget.client.retrying import Lost, Terms, Tries, Unreached
from budget.client.sending import Address, Sent, prepared
from budget.domain.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import ssl

    import httpx2

T = TypeVar("T")


class Transport:
    """Connections for threads, made with the first request; any thread may ask.

    A service on this machine is asked over `Lines`; streams of events come over `open` from all.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._lock = threading.Lock()
        self._http: httpx2.Client | None = None
        self._lines: Lines | None = None
        self._process = os.getpid()
        self._lines_process = self._process
        self._near = is_near(terms.address)
        self._closed = False

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            http, self._http, self._closed = self._http, None, True
            lines, self._lines = self._lines, None
        if http is not None:
            http.close()
        if lines is not None:
            lines.close()

    def open(self) -> "httpx2.Client":
        """The connections of this process: those of one that was forked off are not shared."""
        if self._http is None or self._process != os.getpid():
            with self._lock:
                if self._closed:
                    raise _closed()
                if self._http is None or self._process != os.getpid():
                    import httpx2

                    self._http = httpx2.Client(**_options(self.terms))
                    self._process = os.getpid()
        return self._http

    def _open_lines(self) -> Lines:
        """The same for a service on this machine."""
        lines = self._lines
        if lines is None or self._lines_process != os.getpid():
            with self._lock:
                if self._closed:
                    raise _closed()
                if self._lines is None or self._lines_process != os.getpid():
                    self._lines = Lines(self.terms.address)
                    self._lines_process = os.getpid()
                lines = self._lines
        return lines

    def run(self, request: Request[T]) -> T:
        """Ask until there is an answer, or no time is left."""
        sent = prepared(request)
        tries = Tries(request, sent, self.terms)
        exchange = self._open_lines().exchange if self._near else self._exchange
        while True:
            try:
                answer = exchange(sent, tries)
            except (Unreached, Lost) as failure:
                time.sleep(tries.after(failure))
                continue
            wait = tries.again(answer)
            if wait is None:
                return judged(request, self.terms.address, answer)
            time.sleep(wait)

    def _exchange(self, sent: Sent, tries: Tries) -> Answer:
        http = self.open()
        with _failures():
            response = http.send(_build(http, sent, tries.seconds), stream=True)
            try:
                body = bytearray()
                for chunk in response.iter_bytes():
                    _take(body, chunk, tries)
            finally:
                response.close()
            return Answer(response.status_code, response.headers, bytes(body))


class AsyncTransport:
    """Connections for event loops, made with the first request on each."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._http: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = (
            WeakKeyDictionary()
        )
        self._closed = False

    async def close(self) -> None:
        """Close the connections of this loop; those of others ended with theirs."""
        self._closed = True
        http = self._http.pop(asyncio.get_running_loop(), None)
        self._http.clear()
        if http is not None:
            await http.aclose()

    def open(self) -> "httpx2.AsyncClient":
        """The connections of the loop that runs."""
        loop = asyncio.get_running_loop()
        http = self._http.get(loop)
        if http is None:
            if self._closed:
                raise _closed()
            import httpx2

            http = self._http[loop] = httpx2.AsyncClient(**_options(self.terms))
        return http

    async def run(self, request: Request[T]) -> T:
        """Ask until there is an answer, or no time is left."""
        sent = prepared(request)
        tries = Tries(request, sent, self.terms)
        http = self.open()
        while True:
            try:
                answer = await self._exchange(http, sent, tries)
            except (Unreached, Lost) as failure:
                await asyncio.sleep(tries.after(failure))
                continue
            wait = tries.again(answer)
            if wait is None:
                return judged(request, self.terms.address, answer)
            await asyncio.sleep(wait)

    async def _exchange(self, http: "httpx2.AsyncClient", sent: Sent, tries: Tries) -> Answer:
        with _failures():
            response = await http.send(_build(http, sent, tries.seconds), stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    _take(body, chunk, tries)
            finally:
                await response.aclose()
            return Answer(response.status_code, response.headers, bytes(body))


def _options(terms: Terms) -> dict[str, Any]:
    """How connections are made; beside this machine no proxy is asked."""
    import httpx2

    return {
        "verify": _trusted(terms.address),
        "base_url": terms.address.url,
        "headers": terms.address.headers,
        "trust_env": not terms.address.near,
        "limits": httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=20),
    }


def _trusted(address: Address) -> "ssl.SSLContext | bool":
    """Whose certificates are believed: of those in the file SSL_CERT_FILE, else the usual ones."""
    file = os.environ.get("SSL_CERT_FILE")
    if not file or not address.url.startswith("https:"):
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        why = error.strerror or "no certificate is in it"
        raise InvalidInput("SSL_CERT_FILE", f"{file} cannot be read ({why}).") from None


def _build(
    http: "httpx2.Client | httpx2.AsyncClient", sent: Sent, seconds: float
) -> "httpx2.Request":
    import httpx2

    return http.build_request(
        sent.method, sent.target, content=sent.content, headers=sent.headers,
        timeout=httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
    )  # fmt: skip


def _take(body: bytearray, chunk: bytes, tries: Tries) -> None:
    """More of an answer, unless it grows without end or takes too long."""
    body += chunk
    if len(body) > MAX_ANSWER_BYTES:
        raise too_long(tries.url)
    if tries.over:
        raise Lost("the answer took too long")


@contextmanager
def _failures() -> Iterator[None]:
    """What went wrong underway, in two kinds: whether the service may have seen the request."""
    import httpx2

    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise Unreached(str(error) or type(error).__name__) from None
    except (httpx2.TransportError, httpx2.DecodingError) as error:
        raise Lost(str(error) or type(error).__name__) from None
    except httpx2.InvalidURL:
        raise InvalidInput("request", "is too long for an address.") from None


def _closed() -> Unavailable:
    return Unavailable("This client is closed. Make another.", code="closed")

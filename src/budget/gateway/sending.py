"""Sending: requests to upstreams over kept connections, and what they answer, piece by piece.

Built on aiohttp. What goes wrong is told as `Failed`: whether the request may have arrived decides
whether it is paid for. Not here: where to (`upstreams`), and what answers mean (`formats`).
"""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Final, Literal

import aiohttp
from yarl import URL

CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 600.0
"""How long an upstream may say nothing."""
_AT_ONCE_BYTES: Final = 512 * 1024
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

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: tuple[tuple[bytes, bytes], ...] = response.raw_headers

    def header(self, name: str) -> str:
        """A header's value; empty without it."""
        return self._response.headers.get(name, "")

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; Failed where it breaks off."""
        try:
            while piece := await self._response.content.readany():
                yield piece
        except TimeoutError as error:
            raise Failed("reading", "the upstream fell silent", timed_out=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Failed("reading", f"the upstream broke off ({type(error).__name__})") from error

    async def whole(self) -> bytes:
        """The whole body; Failed if it breaks off, or is longer than any answer."""
        parts: list[bytes] = []
        total_bytes = 0
        async for piece in self.pieces():
            parts.append(piece)
            total_bytes += len(piece)
            if total_bytes > MAX_ANSWER_BYTES:
                raise Failed("reading", "the upstream's answer is too long")
        self.keep()
        return b"".join(parts)

    def close(self) -> None:
        """Let go of it: the connection is kept if the body was read to its end, else closed."""
        self._response.close()

    def keep(self) -> None:
        """Give the connection back: the body was read to its end."""
        self._response.release()


class Sender:
    """Kept connections to upstreams; open on one event loop until `close`."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Answer:
        """Send a request; its answer once the headers are there. Failed where there is none."""
        session = self._session or self._open()
        try:
            response = await session.request(
                method, URL(url, encoded=True), headers=headers, data=_sent(body),
                allow_redirects=False,
                timeout=_timeout(silence_seconds),
            )  # fmt: skip
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Failed(
                "connecting", f"the upstream cannot be reached ({type(error).__name__})"
            ) from error
        except TimeoutError as error:
            raise Failed(
                "waiting", "the upstream did not answer in time", timed_out=True
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Failed("waiting", f"the upstream broke off ({type(error).__name__})") from error
        return Answer(response)

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            raise_for_status=False,
            trust_env=False,
        )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)


def _sent(body: bytes | None) -> bytes | io.BytesIO | None:
    """A body as aiohttp takes it: a long one in parts, so that others have their turn between."""
    return io.BytesIO(body) if body is not None and len(body) > _AT_ONCE_BYTES else body


@lru_cache
def _timeout(silence_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds
    )

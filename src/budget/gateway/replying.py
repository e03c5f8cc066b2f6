"""Replying: what goes back to the caller, whole or piece by piece, over ASGI.

Headers of the connection to the upstream are left out. Not here: what is answered (`passing`).
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

Send = Callable[[Any], Awaitable[None]]
Header = tuple[bytes, bytes]

_DROPPED: Final = frozenset({
    b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"trailer", b"upgrade",
    b"set-cookie", b"date", b"server", b"strict-transport-security", b"alt-svc",
    b"proxy-authenticate", b"access-control-allow-origin",
})  # fmt: skip


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()


class Sending:
    """The way back to one caller. What is sent to one who has gone is lost without a word.

    `status_of_refusals` is that of every refusal; None: by the limit that refuses. `first` are
    headers of every answer. `status` is that of the answer once it has begun, else 0; `is_gone`
    says that nobody waits for one any more.
    """

    def __init__(
        self,
        send: Send,
        *,
        status_of_refusals: int | None = None,
        first: tuple[Header, ...] = (),
    ) -> None:
        self._send = send
        self._first = first
        self._farewells: list[Callable[[], None]] = []
        self.status_of_refusals = status_of_refusals
        self.status = 0
        self.is_gone = False

    def when_gone(self, act: Callable[[], None]) -> None:
        """Do this when the caller goes; at once, if it has."""
        if self.is_gone:
            act()
        else:
            self._farewells.append(act)

    def lose(self) -> None:
        """The caller has gone."""
        self.is_gone = True
        for act in self._farewells:
            act()
        self._farewells.clear()

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        length = (b"content-length", str(len(reply.body)).encode())
        await self._begin(reply.status, (*_kept(reply.headers), length))
        await self.end(reply.body)

    async def start(self, status: int, headers: Iterable[Header]) -> None:
        """Begin an answer that comes in pieces."""
        await self._begin(status, _kept(headers))

    async def _begin(self, status: int, headers: Iterable[Header]) -> None:
        self.status = status
        if not self.is_gone:
            head = {
                "type": "http.response.start", "status": status,
                "headers": [*self._first, *headers],
            }  # fmt: skip
            await self._send(head)

    async def more(self, piece: bytes) -> None:
        """Send a piece."""
        if not self.is_gone:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self, piece: bytes = b"") -> None:
        """Send the last piece."""
        if not self.is_gone:
            await self._send({"type": "http.response.body", "body": piece})


def _kept(headers: Iterable[Header]) -> tuple[Header, ...]:
    return tuple(pair for pair in headers if pair[0].lower() not in _DROPPED)

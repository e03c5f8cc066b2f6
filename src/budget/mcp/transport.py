"""The transport over HTTP: one address that speaks both revisions of the protocol.

The SDK is imported at the first request: whoever serves without it pays no memory for it. Not here:
who may come in, and what a body may be (`http.mcp`).
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from budget.mcp.asking import Guest

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import Scope

    from budget.mcp.changes import Changes

GUEST: Final = "budget.guest"
"""Where a request's scope says who makes it."""
IDLE_SECONDS: Final = 600.0
MAX_SESSIONS: Final = 5_000
LAST_CALLS_SECONDS: Final = 5.0


class Transport:
    """Answers requests, from the first one until it is closed."""

    def __init__(
        self,
        now_us: Callable[[], int],
        most_bytes: int,
        came: Callable[[str, int], None] | None = None,
    ) -> None:
        """`came` is told of who comes, by the name of their key, and how many sessions are open."""
        self._now_us = now_us
        self._most_bytes = most_bytes
        self._came = came
        self._running: asyncio.Task[None] | None = None
        self._opening: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._changes: Changes | None = None
        self._stop = asyncio.Event()
        self._calls = 0
        self._idle = asyncio.Event()

    @property
    def sessions(self) -> int:
        """How many sessions of the former revision are open."""
        opening = self._opening
        if opening is None or not opening.done():
            return 0
        return len(opening.result()._server_instances)

    async def answer(
        self, guest: Guest, name: str, scope: "Scope", receive: Any, send: Any
    ) -> None:
        """Answer one request of a guest; their sessions are those of the key of this name."""
        manager = await self._open()
        from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
        from mcp.server.auth.provider import AccessToken

        scope[GUEST] = guest
        # A session belongs to the key that has opened it: to any other it is not there.
        token = AccessToken(token="", client_id=name, scopes=[])
        scope["user"] = AuthenticatedUser(token)
        if self._came is not None:
            self._came(name, self.sessions)
        self._calls += 1
        try:
            await manager.handle_request(scope, receive, send)
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def close(self) -> None:
        """End what clients follow, answer what was asked, then end their sessions."""
        if self._running is None:
            return
        if self._changes is not None:
            self._changes.close()
        self._idle.clear()
        if self._calls:
            try:
                async with asyncio.timeout(LAST_CALLS_SECONDS):
                    await self._idle.wait()
            except TimeoutError:
                pass  # streams of sessions stay open until they are ended
        self._stop.set()
        await self._running

    async def _open(self) -> "StreamableHTTPSessionManager":
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_future()
            self._running = asyncio.create_task(self._run(self._opening))
        return await asyncio.shield(self._opening)

    async def _run(self, opening: "asyncio.Future[StreamableHTTPSessionManager]") -> None:
        """Keep the sessions: they are opened and closed in one task."""
        try:
            manager, self._changes = await asyncio.to_thread(self._made)
        except BaseException as error:
            opening.set_exception(error)
            self._opening = None
            raise
        async with manager.run():
            opening.set_result(manager)
            await self._stop.wait()

    def _made(self) -> "tuple[StreamableHTTPSessionManager, Changes]":
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from budget.mcp.changes import Changes
        from budget.mcp.server import make_server

        changes = Changes()
        server = make_server(lambda ctx: guest_of(ctx.request), self._now_us, changes)
        return StreamableHTTPSessionManager(
            server,
            session_idle_timeout=IDLE_SECONDS,
            max_sessions=MAX_SESSIONS,
            max_request_body_size=self._most_bytes,
        ), changes


def guest_of(request: Any) -> Guest:
    """Who makes a request."""
    guest: Guest = request.scope[GUEST]
    return guest

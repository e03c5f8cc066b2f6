"""Following: subscriptions to resources, as each revision of the protocol has them.

Since 2026-07-28 a client listens, and what it hears is the answer; before that it subscribes, and
hears on the stream of its session. A resource that the guest may not read is not followed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import (
    SUBSCRIPTION_ID_META_KEY,
    ResourceUpdated,
    event_to_notification,
)

from budget.domain.errors import BudgetError
from budget.mcp import resources
from budget.mcp.asking import Guest
from budget.mcp.calling import Context
from budget.mcp.changes import Changes, Listener

_STATE: Final = "budget.listener"
_MOST: Final = 50
"""Resources that one client may follow."""


class Following:
    """The subscriptions of a server."""

    def __init__(
        self, guest_of: Callable[[Context], Guest], now_us: Callable[[], int], changes: Changes
    ) -> None:
        self._guest_of = guest_of
        self._now_us = now_us
        self._changes = changes

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Tell what changes for as long as the client listens: the answer is the stream."""
        if ctx.request_id is None:
            raise MCPError(types.INVALID_REQUEST, "subscriptions/listen requires a request id")
        guest = self._guest_of(ctx)
        asked = list(params.notifications.resource_subscriptions or ())[:_MOST]
        uris = await resources.readable(guest, asked, self._now_us())
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        listener = Listener()
        self._follow(listener, guest, uris)
        try:
            await self._acknowledge(ctx, uris, meta)
            async for uri in listener.changed():
                await ctx.session.send_notification(
                    event_to_notification(ResourceUpdated(uri), meta),
                    related_request_id=ctx.request_id,
                )
        finally:
            self._changes.leave(listener)
        return types.SubscriptionsListenResult(_meta=meta)

    async def _acknowledge(self, ctx: Context, uris: list[str], meta: dict[str, Any]) -> None:
        honoured = types.SubscriptionFilter(resource_subscriptions=uris or None)
        params = types.SubscriptionsAcknowledgedNotificationParams(
            notifications=honoured, _meta=meta
        )
        await ctx.session.send_notification(
            types.SubscriptionsAcknowledgedNotification(params=params),
            related_request_id=ctx.request_id,
        )

    async def subscribe(
        self, ctx: Context, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Tell the session when a resource changes."""
        guest = self._guest_of(ctx)
        if not await resources.readable(guest, [params.uri], self._now_us()):
            detail = f"There is no resource {params.uri[:80]!r} that this key may read."
            raise MCPError(types.INVALID_PARAMS, detail, {"uri": params.uri[:512]})
        self._follow(self._listener(ctx), guest, [params.uri])
        return types.EmptyResult()

    async def unsubscribe(
        self, ctx: Context, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Tell it no more."""
        self._changes.leave(self._listener(ctx), [params.uri])
        return types.EmptyResult()

    def _follow(self, listener: Listener, guest: Guest, uris: list[str]) -> None:
        try:
            self._changes.follow(listener, guest, uris)
        except BudgetError as error:
            self._changes.leave(listener)
            raise MCPError(types.INTERNAL_ERROR, error.detail) from None

    def _listener(self, ctx: Context) -> Listener:
        """The listener of a session, made at its first subscription, gone with the session."""
        # The SDK has no public name for what lives as long as a session does.
        connection = ctx.session._connection
        listener: Listener | None = connection.state.get(_STATE)
        if listener is None:
            listener = connection.state[_STATE] = Listener()
            telling = asyncio.create_task(_tell(ctx, listener))

            def leave() -> None:
                telling.cancel()
                self._changes.leave(listener)

            connection.exit_stack.callback(leave)
        return listener


async def _tell(ctx: Context, listener: Listener) -> None:
    async for uri in listener.changed():
        await ctx.session.send_resource_updated(uri)

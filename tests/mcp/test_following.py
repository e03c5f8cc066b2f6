"""Who follows a resource hears when it changes, in both revisions, and of nothing they may not."""

import asyncio
import contextlib
import warnings
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import ResourceUpdatedNotification

from budget.mcp.changes import Changes
from tests.http.running import Running
from tests.mcp.speaking import speaking
from tests.mcp.test_rights import key_of

SECONDS = 20
TOKENS: dict[str, Any] = {"unit": "tokens", "period": "daily", "limit": 1000}


def changes_of(service: Running) -> Changes:
    assert service.app is not None
    transport = service.app._service.mcp
    assert transport is not None
    assert transport._changes is not None
    return transport._changes


async def until_nobody_follows(service: Running) -> None:
    async with asyncio.timeout(SECONDS):
        while changes_of(service).count:  # noqa: ASYNC110 - it lives in another thread
            await asyncio.sleep(0.01)


async def hold(service: Running, **attributes: str) -> None:
    await asyncio.to_thread(service.post, "/allocations", {"tokens": 1, "attributes": attributes})


def test_who_listens_hears_of_the_budget_that_changed(service: Running) -> None:
    budget = service.budget(TOKENS, scope={"team": "listened"})
    other = service.budget(TOKENS, scope={"team": "other"})
    uri = f"budget://budgets/{budget['budget_id']}"
    deaf = f"budget://budgets/{other['budget_id']}"

    async def run() -> None:
        async with speaking(service) as client:
            uris = [uri, deaf, "budget://budgets/none", "http://elsewhere"]
            async with client.listen(resource_subscriptions=uris) as heard:
                assert heard.honored.resource_subscriptions == [uri, deaf]
                hearing = asyncio.ensure_future(anext(aiter(heard)))
                async with asyncio.timeout(SECONDS):
                    while not hearing.done():  # whoever follows begins at a now of its own
                        await hold(service, team="listened")
                        await asyncio.wait((hearing,), timeout=0.2)
                assert hearing.result() == ResourceUpdated(uri)
        await until_nobody_follows(service)

    asyncio.run(run())


def test_who_subscribes_hears_on_the_stream_of_the_session(service: Running) -> None:
    service.budget(TOKENS, scope={"team": "subscribed"})
    heard: asyncio.Queue[str]

    async def note(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.put_nowait(str(message.params.uri))

    async def run() -> None:
        nonlocal heard
        heard = asyncio.Queue()
        async with speaking(service, "legacy", message_handler=note) as client:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the SDK prefers the newer revision
                with pytest.raises(MCPError, match="no resource"):
                    await client.subscribe_resource("budget://budgets/none")
                await client.subscribe_resource("budget://status")
                async with asyncio.timeout(SECONDS):
                    while heard.empty():  # the stream of the session opens in its own time
                        await hold(service, team="subscribed")
                        await asyncio.sleep(0.2)
                assert await heard.get() == "budget://status"
                await client.unsubscribe_resource("budget://status")
            await until_nobody_follows(service)

    asyncio.run(run())


def test_who_goes_away_is_followed_no_more(service: Running) -> None:
    async def run() -> None:
        async with speaking(service, "legacy") as client:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                await client.subscribe_resource("budget://prices/openai/gpt-4o")
            assert changes_of(service).count == 1
        await until_nobody_follows(service)

    asyncio.run(run())


def test_a_bound_key_follows_no_budget_of_others(service: Running) -> None:
    theirs = service.budget(TOKENS, scope={"team": "b"})
    uri = f"budget://budgets/{theirs['budget_id']}"

    async def run() -> None:
        key = key_of(service, "read", bound={"team": "a"})
        async with (
            speaking(service, key=key) as client,
            client.listen(resource_subscriptions=[uri]) as heard,
        ):
            assert not heard.honored.resource_subscriptions

    asyncio.run(run())


def test_a_stream_ends_when_its_key_is_revoked(service: Running) -> None:
    made = service.post("/keys", {"name": "k", "scopes": ["read"]})

    async def listen(client: Client) -> None:
        async with client.listen(resource_subscriptions=["budget://status"]) as heard:
            gone = f"/api/v1/keys/{made['key_id']}"
            await asyncio.to_thread(service.client.delete, gone)
            async for _ in heard:
                pass

    async def run() -> None:
        async with speaking(service, key=made["key"]) as client, asyncio.timeout(SECONDS):
            with contextlib.suppress(SubscriptionLost):  # the client may say that it broke
                await listen(client)
        await until_nobody_follows(service)

    asyncio.run(run())

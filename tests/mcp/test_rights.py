"""What keys may do by MCP: their rights, their bounds, and their sessions."""

import asyncio
import time
from typing import Any

import httpx2
import pytest
from mcp import MCPError

from budget.domain.rights import Bound
from tests.http.running import Running
from tests.mcp.speaking import MODES, Mode, speaking, told, wrong

HOLD: dict[str, Any] = {"context_id": "c", "component": "x", "amount": 10}


def key_of(service: Running, *scopes: str, bound: Bound | None = None) -> str:
    made = service.post("/keys", {"name": "k", "scopes": list(scopes), "bound": bound or {}})
    key: str = made["key"]
    return key


@pytest.mark.parametrize("mode", MODES)
def test_a_key_that_may_read_is_shown_no_tool_that_spends_and_cannot_use_one(
    service: Running, mode: Mode
) -> None:
    async def run() -> None:
        async with speaking(service, mode, key_of(service, "read")) as client:
            names = {one.name for one in (await client.list_tools()).tools}
            assert "GetBudgetStatus" in names
            assert not names & {"AllocateBudget", "budget_settle", "budget_request_top_up"}
            error = wrong(await client.call_tool("AllocateBudget", HOLD))
            assert error["code"] == "forbidden"
            assert "lacks the right `spend`" in error["detail"]

    asyncio.run(run())


def test_a_key_that_may_spend_reads_no_resources_and_no_prompts(service: Running) -> None:
    async def run() -> None:
        async with speaking(service, key=key_of(service, "spend")) as client:
            assert not (await client.list_resources()).resources
            with pytest.raises(MCPError, match="lacks the right `read`"):
                await client.read_resource("budget://status")
            with pytest.raises(MCPError, match="lacks the right `read`"):
                await client.get_prompt("budget_analysis", {})
            assert told(await client.call_tool("AllocateBudget", HOLD))["allowed"]

    asyncio.run(run())


def test_a_key_counts_as_the_attribute_key_of_what_it_spends(service: Running) -> None:
    key = key_of(service, "spend", "read")

    async def run() -> str:
        async with speaking(service, key=key) as client:
            held = told(await client.call_tool("AllocateBudget", HOLD))
            seen = told(
                await client.call_tool(
                    "budget_get_allocation", {"allocation_id": held["allocation_id"]}
                )
            )
            spender: str = seen["attributes"]["key"]
            return spender

    assert asyncio.run(run()).startswith("key_")


def test_a_bound_key_spends_as_its_team_and_sees_nothing_of_others(service: Running) -> None:
    ours = service.budget({"unit": "tokens", "period": "daily", "limit": 100},
                          name="ours", scope={"team": "a"})  # fmt: skip
    theirs = service.budget({"unit": "tokens", "period": "daily", "limit": 100},
                            name="theirs", scope={"team": "b"})  # fmt: skip
    other = service.post("/allocations", {"tokens": 5, "attributes": {"team": "b"}})
    key = key_of(service, "spend", "read", bound={"team": "a"})

    async def run() -> None:
        async with speaking(service, key=key) as client:
            held = told(await client.call_tool("AllocateBudget", HOLD))
            stands = told(await client.call_tool("GetBudgetStatus", {}))["summaries"]
            assert [(one["budget"], one["tokens_allocated"]) for one in stands] == [("ours", 10)]
            uris = [one.uri for one in (await client.list_resources()).resources]
            assert uris == ["budget://status", f"budget://budgets/{ours['budget_id']}"]
            with pytest.raises(MCPError, match="no budget"):
                await client.read_resource(f"budget://budgets/{theirs['budget_id']}")
            error = wrong(
                await client.call_tool(
                    "budget_settle",
                    {"allocation_id": other["allocation_id"], "input_tokens": 1},
                )
            )
            assert error["code"] == "not_found"
            error = wrong(
                await client.call_tool("AllocateBudget", {**HOLD, "attributes": {"team": "b"}})
            )
            assert error["code"] == "forbidden"
            told(await client.call_tool("budget_release", {"allocation_id": held["allocation_id"]}))

    asyncio.run(run())


def test_a_session_is_not_there_for_another_key(service: Running) -> None:
    mine, other = key_of(service, "read"), key_of(service, "read")
    answer = _initialize(service, mine)
    session = answer.headers["mcp-session-id"]
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    said = {
        name: _post(service, key, ping, {"Mcp-Session-Id": session}).status_code
        for name, key in (("mine", mine), ("other", other))
    }
    assert said == {"mine": 200, "other": 404}


def test_a_session_ends_when_its_key_is_revoked(service: Running) -> None:
    made = service.post("/keys", {"name": "k", "scopes": ["read"]})
    session = _initialize(service, made["key"]).headers["mcp-session-id"]
    service.client.delete(f"/api/v1/keys/{made['key_id']}")
    headers = {"Mcp-Session-Id": session}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    ends_at = time.monotonic() + 20
    while _post(service, made["key"], ping, headers).status_code != 401:  # within a second
        assert time.monotonic() < ends_at


def _initialize(service: Running, key: str) -> httpx2.Response:
    asked = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }  # fmt: skip
    return _post(service, key, asked, {})


def _post(service: Running, key: str, body: Any, headers: dict[str, str]) -> httpx2.Response:
    accept = {"Accept": "application/json, text/event-stream", "X-API-Key": key}
    return httpx2.post(f"{service.url}/mcp", json=body, headers={**accept, **headers})

"""Every tool through the official client: in both revisions, over HTTP and over stdio.

The client holds each answer against the schema that the tool tells of it.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent

from budget.engine.budget import Budget
from budget.mcp.tools import TOOLS
from tests.http.running import Running
from tests.mcp.speaking import MODES, REVISIONS, Mode, speaking, spoken_to, told
from tests.support.databases import PostgresDatabases
from tests.support.priced import empty_books

GPT: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}
WHO: dict[str, Any] = {"context_id": "ctx", "component": "search"}


async def walk(client: Client) -> set[str]:
    """Call every tool as an agent would; the names of those that were called."""
    called: set[str] = set()

    async def call(name: str, **given: Any) -> dict[str, Any]:
        called.add(name)
        return told(await client.call_tool(name, given))

    listed = {one.name: one for one in (await client.list_tools()).tools}
    assert listed.keys() == {name for one in TOOLS for name in (one.name, one.former) if name}
    for name in ("AllocateBudget", "budget_allocate_budget"):
        held = await call(name, **WHO, **GPT, amount=1000)
        # 1,000 tokens at the dearest rate, 10 USD a million.
        assert (held["allowed"], held["amount"], held["held_usd"]) == (True, 1000, "0.01")
        used = await call("budget_settle", allocation_id=held["allocation_id"],
                          input_tokens=400, output_tokens=100)  # fmt: skip
        # 400 at 2.50 and 100 at 10 USD a million.
        assert (used["cost"], used["status"], used["recorded_tokens"]) == ("0.002", "settled", 500)
    for name in ("CheckBudget", "budget_check_budget"):
        assert (await call(name, **GPT, input_text="Hello"))["allowed"]
    for name in ("RecordUsage", "budget_record_usage"):
        booked = await call(name, **GPT, component="search", input_tokens=4, output_tokens=1)
        assert (booked["success"], booked["allocation_id"], booked["cost"]) == (
            True,
            None,
            "0.00002",
        )
    held = await call("AllocateBudget", **WHO, **GPT, amount=10)
    longer = await call("budget_extend", allocation_id=held["allocation_id"], tokens=5)
    assert longer["amount"] == 15
    seen = await call("budget_get_allocation", allocation_id=held["allocation_id"])
    assert (seen["status"], seen["remaining_tokens"]) == ("open", 15)
    given_back = await call("budget_release", allocation_id=held["allocation_id"])
    assert (given_back["status"], given_back["returned_tokens"]) == ("released", 15)
    run = await call("budget_open_envelope", usd="0.50", agent="planner", context_id="run")
    child = await call("AllocateBudget", **WHO, **GPT, amount=1000,
                       parent_id=run["allocation_id"])  # fmt: skip
    await call("budget_settle", allocation_id=child["allocation_id"], input_tokens=400,
               output_tokens=100)  # fmt: skip
    ended = await call("budget_close_envelope", allocation_id=run["allocation_id"])
    assert (ended["held_usd"], ended["spent_usd"], ended["returned_usd"], ended["children"]) == (
        "0.50", "0.002", "0.498", 1,
    )  # fmt: skip
    await call("GetBudgetStatus")
    (line,) = (await call("budget_get_budget_status", period="daily"))["summaries"]
    assert (line["budget"], line["cost_limit"]) == ("Acme", "5.00")
    for name in ("GetModelRecommendations", "budget_get_model_recommendations"):
        cheaper = await call(name, **GPT, task_type="chat", context_size=1000)
        assert cheaper["recommendations"]
    for name in ("RouteWithBudgetAwareness", "budget_route_with_budget_awareness"):
        way = await call(name, input_text="Hello", default_provider="openai",
                         default_model="gpt-4o", component="search", task_type="chat")  # fmt: skip
        assert (way["model"], way["is_downgraded"], way["allowed"]) == ("gpt-4o", False, True)
    for name in ("GetUsageAnalytics", "budget_get_usage_analytics"):
        spent = await call(name, period="daily")
        assert spent["providers"]["openai"]["models"]["gpt-4o"]["count"] == spent["record_count"]
    price = await call("budget_get_price", **GPT)
    assert price["output_usd_per_million_tokens"] == "10.00"
    cost = await call("budget_estimate_cost", **GPT, input_tokens=1000, output_tokens=100)
    assert cost["total_cost"] == "0.0035"
    assert (await call("budget_forecast"))["items"]
    assert (await call("budget_get_anomalies"))["next"]
    refused = await call("AllocateBudget", **WHO, **GPT, amount=10**9)
    assert (refused["allowed"], refused["refusal"]["code"]) == (False, "over_limit")
    assert (await call("budget_explain_refusal"))["verdict"] == "refused"
    asked = await call("budget_request_top_up", budget_id=line["budget_id"], amount="3",
                       reason="a long run")  # fmt: skip
    assert (asked["status"], asked["person"]) == ("pending", "unasked")
    found = await call("budget_get_top_up_request", request_id=asked["request_id"])
    assert found["amount"] == "3.00"
    return called


async def look(client: Client, revision: str) -> None:
    """What is no tool: who it is, resources and prompts."""
    assert client.protocol_version == revision
    assert client.server_info is not None
    assert client.server_info.name == "budget"
    assert "budget_allocate_budget" in (client.instructions or "")
    first, *others = (await client.list_resources()).resources
    assert first.uri == "budget://status"
    templates = (await client.list_resource_templates()).resource_templates
    assert [one.uri_template for one in templates] == [
        "budget://budgets/{budget_id}", "budget://prices/{provider}/{model}",
    ]  # fmt: skip
    for uri in (first.uri, others[0].uri, "budget://prices/openai/gpt-4o"):
        (content,) = (await client.read_resource(uri)).contents
        assert json.loads(getattr(content, "text"))  # noqa: B009 - of one of two types
    prompts = (await client.list_prompts()).prompts
    assert [one.name for one in prompts] == [
        "budget_analysis", "cost_optimization", "model_selection",
    ]  # fmt: skip
    (message,) = (await client.get_prompt("budget_analysis", {"period": "daily"})).messages
    assert isinstance(message.content, TextContent)
    assert '"record_count"' in message.content.text


DAILY = {"unit": "usd", "period": "daily", "limit": "5", "enforcement": "hard_limit"}


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_answers_over_http(service: Running, mode: Mode) -> None:
    budget = service.budget(DAILY)

    async def run() -> None:
        async with speaking(service, mode) as client:
            await look(client, REVISIONS[mode])
            assert await walk(client) == {
                name for one in TOOLS for name in (one.name, one.former) if name
            }

    asyncio.run(run())
    service.client.delete(f"/api/v1/budgets/{budget['budget_id']}")


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_answers_over_stdio(
    service: Running, postgres_databases: PostgresDatabases, tmp_path: Path, mode: Mode
) -> None:
    # One revision speaks to a service on SQLite, the other to a database of PostgreSQL.
    on_service = mode == "auto"
    target = service.url if on_service else postgres_databases.new(empty_books)
    budget = service.budget(DAILY)
    if not on_service:
        with Budget.open(target) as books:
            books.create_budget(name="Acme", policies=[DAILY])  # type: ignore[list-item]

    async def run() -> None:
        async with spoken_to(target, str(tmp_path), mode, service.key) as client:
            await look(client, REVISIONS[mode])
            assert len(await walk(client)) == len(TOOLS) + 7

    asyncio.run(run())
    service.client.delete(f"/api/v1/budgets/{budget['budget_id']}")


def test_a_tool_says_what_it_takes_and_answers_in_words_that_a_model_understands() -> None:
    for one in TOOLS:
        assert re.fullmatch(r"budget_[a-z_]+", one.name)
        assert len(one.doc) > 40
        assert one.asks["additionalProperties"] is False
        assert all(field["description"] for field in one.asks["properties"].values())
        assert "next" in one.tells["properties"]
        assert "$ref" not in json.dumps(one.tells)

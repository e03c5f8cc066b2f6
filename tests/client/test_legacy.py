"""BudgetClient does on a real service what a component of Tekton asks of it."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from budget.client import AsyncBudgetClient, BudgetClient
from budget.domain.errors import BudgetRefused, InvalidInput, NotFound
from budget.engine.price_book.settings import PriceSettings
from tests.http.running import migrate, running
from tests.support.databases import SqliteDatabases, SqliteTemplates, sqlite_url

PRICES = {"gpt-4o": ("2.5", "10"), "gpt-4o-mini": ("0.1", "0.4")}
KEYS: dict[str, str] = {}
"""The keys of the services made here, by their addresses."""
MODEL: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}


@contextlib.contextmanager
def priced(url: str) -> Iterator[BudgetClient]:
    """A client of a service that knows what two models cost."""
    with running(url, price_settings=PriceSettings()) as service:
        port = urlsplit(service.url).port
        assert port is not None
        with BudgetClient("127.0.0.1", port, component="rhetor", api_key=service.key) as made:
            KEYS[service.url] = service.key
            for model, (given, output) in PRICES.items():
                made.client.set_price(
                    provider="openai", model=model, input=given, output=output, reason="r",
                    starts_at="2020-01-01T00:00:00Z",
                )  # fmt: skip
            yield made


@pytest.fixture
def alone(sqlite_databases: SqliteDatabases) -> Iterator[BudgetClient]:
    """A client of a service of the test's own."""
    with priced(sqlite_databases.new(migrate)) as made:
        yield made


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[BudgetClient]:
    """A client of a service that the tests here share."""
    file = tmp_path_factory.mktemp("legacy") / "budget.db"
    shutil.copy(sqlite_templates.file_from(migrate), file)
    with priced(sqlite_url(file)) as made:
        yield made


def test_a_context_holds_uses_and_gives_back(client: BudgetClient) -> None:
    held = client.allocate_budget("ctx-1", 1_000, "apollo", tier="remote_heavyweight", priority=5)
    assert (held["context_id"], held["amount"], held["remaining"]) == ("ctx-1", 1_000, 1_000)
    used = client.record_usage(**MODEL, input_tokens=100, output_tokens=50, context_id="ctx-1")
    assert used["allocation_id"] == held["allocation_id"]
    assert (used["recorded_tokens"], used["remaining"], used["success"]) == (150, 850, True)
    told = client.release(held["allocation_id"], reason="done")
    assert (told["status"], told["tokens_released"]) == ("released", 850)


def test_a_request_is_booked_once_also_when_its_context_is_over(client: BudgetClient) -> None:
    asked = {**MODEL, "input_tokens": 1, "output_tokens": 0, "context_id": "ctx-9"}
    held = client.allocate_budget("ctx-9", 100)["allocation_id"]
    first = client.record_usage(**asked, request_id="req-9")
    client.release(held)
    again = client.record_usage(**asked, request_id="req-9")
    assert (again["record_id"], again["allocation_id"]) == (first["record_id"], held)
    assert client.record_usage(**asked, request_id="req-10")["allocation_id"] is None


def test_usage_without_an_allocation_is_booked_once_for_a_request(alone: BudgetClient) -> None:
    asked = {**MODEL, "input_tokens": 1_000, "output_tokens": 0, "request_id": "req-1"}
    first, again = alone.record_usage(**asked), alone.record_usage(**asked)
    assert first["record_id"] == again["record_id"]
    assert first["allocation_id"] is None
    assert first["total_cost"] == "0.0025"  # 1,000 tokens at 2.50 USD a million
    by_text = alone.record_usage(**MODEL, input_text="Hello, you", output_text="Hi")
    assert by_text["recorded_tokens"] > 0
    told = alone.get_usage_analytics("daily")
    assert told["record_count"] == 2
    assert told["providers"]["openai"]["models"]["gpt-4o"]["count"] == 2
    assert told["components"]["rhetor"]["count"] == 2
    assert told["time_series"] is None
    assert alone.get_usage("daily", provider="openai")["count"] == 2


def test_a_limit_is_set_and_shown_and_refuses(alone: BudgetClient) -> None:
    set_ = alone.set_limit("daily", "0.001", provider="openai", enforcement="hard_limit")
    assert set_["did"] == "created_budget"
    allowed, info = alone.check_budget(**MODEL, input_text="Hello")
    assert not allowed
    assert info["refused_by"][0]["limit"] == "0.001"
    with pytest.raises(BudgetRefused):
        alone.allocate_budget("ctx-2", 1_000_000, **MODEL)
    told = alone.get_budget_status("daily", provider="openai")
    (summary,) = told["summaries"]
    assert (summary["cost_limit"], summary["cost_limit_exceeded"]) == ("0.001", False)
    assert summary["budget_id"] == set_["budget"]["budget_id"]
    assert alone.get_budget_status("daily", tier="local_midweight")["summaries"] == []
    routed = alone.route_with_budget_awareness("Hello", "chat", "openai", "gpt-4o")
    assert routed["original_model"] == "gpt-4o"
    assert routed["warnings"]


def test_prices_costs_and_recommendations_are_told(client: BudgetClient) -> None:
    assert client.check_budget(**MODEL, input_text="Hello")[0]
    cost = client.calculate_cost("openai", "gpt-4o", 1_000_000, 100_000)
    assert (cost["input_cost"], cost["output_cost"], cost["total_cost"]) == ("2.50", "1.00", "3.50")
    (price,) = client.get_prices(provider="openai", model="gpt-4o")
    assert price["input_cost_per_token"] == "0.0000025"
    told = client.get_model_recommendations("openai", "gpt-4o", context_size=2_000)
    assert told["context_size"] == 2_000
    assert told["recommendations"]
    routed = client.route_with_budget_awareness("Hello", "chat", "openai", "gpt-4o")
    assert (routed["model"], routed["is_downgraded"], routed["warnings"]) == ("gpt-4o", False, [])


def test_an_event_loop_awaits_the_same(client: BudgetClient) -> None:
    async def ask() -> Any:
        async with AsyncBudgetClient(client.client.url, api_key=KEYS[client.client.url]) as other:
            held = await other.allocate_budget("ctx-3", 10, "athena")
            return held, await other.release(held["allocation_id"])

    held, released = asyncio.run(ask())
    assert (held["amount"], released["tokens_released"]) == (10, 10)


@pytest.mark.parametrize(
    ("name", "asked", "error"),
    [
        ("allocate_budget", {"context_id": "c", "amount": -1}, InvalidInput),
        ("allocate_budget", {"context_id": "c", "amount": 1.5}, InvalidInput),
        ("allocate_budget", {"context_id": "c", "amount": 1, "priority": 11}, InvalidInput),
        ("check_budget", {"provider": "openai", "model": ""}, InvalidInput),
        ("record_usage", {**MODEL}, InvalidInput),
        ("record_usage", {**MODEL, "input_tokens": -1}, InvalidInput),
        ("record_usage", {**MODEL, "input_tokens": 1, "allocation_id": "all_nope"}, NotFound),
        ("get_budget_status", {"period": "sometimes"}, InvalidInput),
        ("get_usage", {"period": "sometimes"}, InvalidInput),
        ("get_usage_analytics", {"start_date": "soon"}, InvalidInput),
        ("route_with_budget_awareness", {"input_text": "x"}, InvalidInput),
        ("set_limit", {"period": "daily", "limit": 0.1}, InvalidInput),
        ("release", {"allocation_id": "all_nope"}, NotFound),
        ("calculate_cost", {**MODEL, "input_tokens": -1}, InvalidInput),
    ],
)
def test_what_is_wrong_is_told(
    client: BudgetClient, name: str, asked: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(client, name)(**asked)


@pytest.mark.parametrize("port", [0, 65536, "8013"])
def test_a_port_is_one(port: Any) -> None:
    with pytest.raises(InvalidInput, match="port"):
        BudgetClient("localhost", port)

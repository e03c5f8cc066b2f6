"""What is booked goes out to a real receiver of OTLP; and the service serves whatever that does."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.neighbours.known import Setup, read_neighbours
from budget.neighbours.otel import emitting
from budget.neighbours.otel.booked import booked_of
from tests.fakes.collector import collector, newest, spans, values
from tests.fakes.tekton.component import BROKEN, GARBAGE, Component
from tests.fakes.tekton.component import running as component_running
from tests.http.running import PRICED, Running, migrate, running
from tests.support.databases import SqliteDatabases

HARD = {"unit": "usd", "period": "daily", "limit": "1"}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NEWER = "gen_ai.client.inference.usage.input_tokens"
OLDER = "gen_ai.client.token.usage"


def eventually(so: Callable[[], Any]) -> Any:
    end = time.monotonic() + 30
    while not (found := so()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return found


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Component]:
    """A collector to which the environment leads, often told."""
    with component_running(collector()) as found:
        for name, value in (
            ("OTEL_EXPORTER_OTLP_ENDPOINT", found.url), ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(emitting, "LOOK_SECONDS", 0.02)
        yield found


def env(told: Component, **more: str) -> dict[str, str]:
    return {"BUDGET_OTEL_METRICS": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": told.url, **more}


def works(service: Running) -> None:
    """A call is held and settled: 100 tokens in, 20 out, 0.00045 USD."""
    ask = {
        "usd": "0.01",
        "attributes": {"component": "ranker"},
        "metadata": {"traceparent": f"00-{TRACE}-{SPAN}-01"},
    }
    held = service.post("/allocations", ask)
    used = {
        "model": "gemini-2.5-pro", "provider": "google", "input_tokens": 100,
        "output_tokens": 20, "cache_read_tokens": 30,
    }  # fmt: skip
    service.post(f"/allocations/{held['allocation_id']}/usage", used)


def _with(name: str, value: str) -> Callable[[dict[str, Any]], bool]:
    return lambda said: said.get(name) == value


def decided(told: Component, decision: str) -> int:
    """How many decisions of a kind were told last."""
    found = newest(told, "budget.decisions", _with("budget.decision", decision))
    return 0 if found is None else int(found.as_int)


def cost_of(told: Component) -> int:
    """What calls have cost, as it was told last."""
    found = newest(told, "budget.usage.cost", lambda _: True)
    return 0 if found is None else int(found.as_int)


def neighbour(service: Running) -> Any:
    (one,) = (one for one in service.get("/neighbours")["items"] if one["name"] == "otel")
    return one


def test_tokens_cost_and_decisions_go_out_under_old_and_new_names_and_as_spans(
    told: Component, sqlite_databases: SqliteDatabases
) -> None:
    with running(sqlite_databases.new(migrate), env=env(told, BUDGET_TRACES="on")) as service:
        service.budget(HARD, unpriced=PRICED)
        eventually(lambda: neighbour(service)["state"] == "working")
        works(service)
        service.post("/allocations", {"usd": "2"}, status=402)
        eventually(lambda: any(span.name == "budget decide refused" for span in spans(told)))

        def refused() -> Any:
            return newest(
                told, "budget.decisions", lambda said: said["budget.decision"] == "refused"
            )

        eventually(lambda: (found := refused()) and found.as_int == 1)
        eventually(lambda: cost_of(told))
    common = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "gcp.gen_ai",
        "gen_ai.request.model": "gemini-2.5-pro", "budget.component": "ranker",
    }  # fmt: skip
    assert newest(told, "budget.usage.cost", lambda said: said == common) is not None
    assert cost_of(told) == 450_000  # 100 * 2,500 + 20 * 10,000 nanos
    newer = newest(told, NEWER, lambda said: said == {**common, "gen_ai.token.modality": "text"})
    assert newer.as_int == 100
    cached = NEWER.replace("input", "cache_read.input")
    assert newest(told, cached, lambda _: True).as_int == 30
    for kind, count in (("input", 100), ("output", 20)):
        older = newest(told, OLDER, _with("gen_ai.token.type", kind))
        assert (older.sum, older.count) == (count, 1)
        assert list(older.explicit_bounds)[:3] == [1, 4, 16]
    each = newest(told, "gen_ai.client.inference.operation.output_tokens", lambda _: True)
    assert (each.sum, each.count) == (20, 1)
    assert decided(told, "allowed") == 1
    (record,) = (span for span in spans(told) if span.name == "budget record gemini-2.5-pro")
    assert (record.trace_id.hex(), record.parent_span_id.hex()) == (TRACE, SPAN)
    said = values(record.attributes)
    assert said["gen_ai.usage.input_tokens"] == 100
    assert said["gen_ai.usage.cache_read.input_tokens"] == 30
    assert (said["budget.cost"], said["budget.decision"]) == ("0.00045", "allowed")
    assert said["budget.usage_id"].startswith("use_")
    assert record.start_time_unix_nano < record.end_time_unix_nano


def test_a_service_serves_through_all_that_a_collector_does(
    told: Component, sqlite_databases: SqliteDatabases
) -> None:
    with running(sqlite_databases.new(migrate), env=env(told)) as service:
        service.budget(HARD, unpriced=PRICED)
        eventually(lambda: neighbour(service)["state"] == "working")
        told.fault = BROKEN
        works(service)
        eventually(lambda: neighbour(service)["state"] == "failing")
        told.fault = GARBAGE  # of status 200: what it says is not looked at
        works(service)
        told.fault, told.cut = None, True
        works(service)
        told.cut, told.hold = False, threading.Event()
        works(service)
        told.hold.set()
        told.stop()
        works(service)
        told.start()
        told.hold = None

        eventually(lambda: cost_of(told) == 5 * 450_000)
        assert neighbour(service)["facts"]["told"] == "5"


def test_where_it_goes_is_shown_without_secrets(sqlite_databases: SqliteDatabases) -> None:
    books = Books.open(sqlite_databases.new(migrate), sweep=False)
    try:
        named = {
            "BUDGET_MCP": "off",
            "BUDGET_OTEL_METRICS": "on",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:secret@otel.example.com:4318/x?k=1",
        }
        setup = Setup(named, AsyncBudget(books), "http://127.0.0.1:8013", 8013, "i")
        (found,) = read_neighbours(setup)
        assert (found.name, found.address) == ("otel", "https://otel.example.com:4318")
        assert booked_of(books, []) == []
    finally:
        books.close()

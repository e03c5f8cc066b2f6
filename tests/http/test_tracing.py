"""Tracing: a span for each request, sent to a real receiver of OTLP over HTTP."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from budget.domain.errors import InvalidInput
from budget.engine.settings import Settings
from budget.http.observing import Observer
from budget.http.tracing import exporting_tracer
from budget.neighbours.otel import exporters
from tests.http.running import running
from tests.support.databases import sqlite_url


class Receiver(BaseHTTPRequestHandler):
    """Takes traces as a collector does."""

    spans: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What a collector on this machine has received."""
    received: list[Any] = []
    handler = type("Collecting", (Receiver,), {"spans": received})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(exporters, "LAST_SECONDS", 30)
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_each_request_makes_a_span_under_that_of_its_caller(
    tmp_path: Path, spans: list[Any]
) -> None:
    observer = Observer("abc", tracer=exporting_tracer())
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with running(sqlite_url(tmp_path / "budget.db"), observer=observer) as service:
        service.budget({"unit": "usd", "period": "daily", "limit": "1"})
        service.client.post(
            "/api/v1/allocations", json={"usd": "1"},
            headers={"traceparent": parent, "X-Request-Id": "mine"},
        )  # fmt: skip
        service.post("/allocations", {"usd": "1"}, status=402)
        service.client.get("/api/v1/allocations/alloc_secret")
    observer.close()
    assert [span.name for span in spans] == [
        "POST /api/v1/budgets", "POST /api/v1/allocations", "POST /api/v1/allocations",
        "GET /api/v1/allocations/{allocation_id}",
    ]  # fmt: skip
    allowed, refused, missing = map(attributes, spans[1:])
    assert spans[1].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert spans[1].parent_span_id.hex() == "b7ad6b7169203331"
    assert allowed.pop("budget.actor").startswith("key_")
    assert allowed == {
        "http.request.method": "POST", "http.route": "/api/v1/allocations", "url.scheme": "http",
        "http.response.status_code": 201, "budget.request_id": "mine",
        "budget.decision": "allowed",
    }  # fmt: skip
    assert refused["budget.decision"] == "refused"
    assert "budget.decision" not in missing
    assert "alloc_secret" not in str(spans)


def test_without_the_extra_the_start_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(InvalidInput, match=r"BUDGET_TRACES: needs the extra otel: pip install"):
        exporting_tracer()


def test_it_is_on_when_that_is_said() -> None:
    assert Settings.read({"BUDGET_TRACES": "on", "BUDGET_TARGET": "sqlite:///x.db"}).traces
    assert not Settings.read({"BUDGET_TARGET": "sqlite:///x.db"}).traces
    with pytest.raises(InvalidInput, match="BUDGET_TRACES"):
        Settings.read({"BUDGET_TRACES": "yes"})

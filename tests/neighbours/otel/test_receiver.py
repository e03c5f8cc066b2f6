"""A service that takes OTLP: real exporters, both encodings, each span once, answers as they ought
to be.
"""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from budget.domain.errors import Unavailable
from budget.neighbours.otel import bounds, receiver
from tests.http.running import Running, migrate, running
from tests.neighbours.otel.saying import CHAT, in_protobuf, span, traces
from tests.support.databases import SqliteDatabases, SqliteTemplates

JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    databases = SqliteDatabases(tmp_path_factory.mktemp("otlp"), sqlite_templates)
    with running(databases.new(migrate), env={"BUDGET_OTLP": "on"}) as found:
        found.budget(scope={"component": "app"})
        yield found


def send(service: Running, *spans: Any, status: int = 200, **about: Any) -> Any:
    """Send spans in JSON; the answer's JSON."""
    request = traces(*spans, about={"service.name": "app", **about})
    answer = service.client.post("/v1/traces", json=request)
    assert answer.status_code == status, answer.text
    return answer.json()


def booked(service: Running, trace: str) -> list[Any]:
    """The usage of a trace."""
    items = service.get("/usage", limit=1000)["items"]
    return [one for one in items if one["usage_id"].startswith(f"otlp-{trace}-")]


def facts(service: Running) -> Any:
    (one,) = (one for one in service.get("/neighbours")["items"] if one["name"] == "otlp")
    return one


def trace(number: int) -> str:
    return f"{number:032x}"


def test_the_exporter_of_the_sdk_sends_protobuf_packed_and_its_spans_are_usage(
    service: Running,
) -> None:
    provider = TracerProvider(
        resource=Resource.create({"service.name": "app", "budget.team": "red"}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        endpoint=f"{service.url}/v1/traces",
        headers={"authorization": f"Bearer {service.key}"},
        compression=Compression.Gzip,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("instrumentation")
    with tracer.start_as_current_span("invoke_agent", attributes={
        **CHAT, "gen_ai.operation.name": "invoke_agent"
    }) as agent:  # fmt: skip
        for _ in range(3):
            with tracer.start_as_current_span("chat gpt-4o", attributes=CHAT):
                pass
    provider.shutdown()
    found = booked(service, f"{agent.get_span_context().trace_id:032x}")
    assert len(found) == 3
    for one in found:
        # 100 tokens at 2,500 nanos and 20 at 10,000: 450,000 nanos.
        assert (one["input_tokens"], one["output_tokens"], one["cost"]) == (100, 20, "0.00045")
        assert one["attributes"]["component"] == "app"
        assert one["attributes"]["team"] == "red"
        assert one["flags"] == ["unreserved"]


def test_a_span_that_comes_three_times_in_both_encodings_is_counted_once(
    service: Running,
) -> None:
    request = traces(*(span(at, trace=trace(1)) for at in range(1, 6)))
    before = facts(service)["facts"]
    plain = in_protobuf(request)
    told = [
        service.client.post("/v1/traces", json=request),
        service.client.post("/v1/traces", content=plain, headers=PROTOBUF),
        service.client.post(
            "/v1/traces", content=gzip.compress(plain),
            headers={**PROTOBUF, "content-encoding": "gzip"},
        ),
    ]  # fmt: skip
    assert [(one.status_code, one.content) for one in told] == [
        (200, b"{}"),
        (200, b""),
        (200, b""),
    ]
    assert len(booked(service, trace(1))) == 5
    after = facts(service)["facts"]
    assert int(after["booked"]) - int(before.get("booked", 0)) == 5
    assert int(after["booked_before"]) - int(before.get("booked_before", 0)) == 10


def test_a_span_is_known_by_whatever_key_it_comes_again(service: Running) -> None:
    key = service.post("/keys", {"name": "other", "scopes": ["spend"]})["key"]
    send(service, span(1, trace=trace(2)))
    answer = service.client.post(
        "/v1/traces", json=traces(span(1, trace=trace(2))), headers={"x-api-key": key}
    )
    assert (answer.status_code, answer.json()) == (200, {})
    assert len(booked(service, trace(2))) == 1


def test_what_is_left_out_is_told_with_why(service: Running) -> None:
    send(
        service,
        span(1, trace=trace(3)), span(2, trace=trace(3), parent=1),
        span(3, {**CHAT, "server.address": "127.0.0.1",
                 "server.port": int(service.url.rpartition(":")[2])}, trace=trace(3)),
        span(4, {"http.route": "/"}, trace=trace(3)),
    )  # fmt: skip
    assert [one["usage_id"][-1] for one in booked(service, trace(3))] == ["2"]
    told = facts(service)
    assert told["state"] == "working"
    for why in ("a part of it is booked", "came through the gateway", "no call of a model"):
        assert why in told["facts"]["left_out"]


def test_what_cannot_be_booked_is_a_partial_success_and_the_rest_is_booked(
    service: Running,
) -> None:
    ahead_ns = 4_000_000_000 * 10**9  # in 2096
    spans = (
        span(1, trace=trace(4)),
        span(2, {**CHAT, "gen_ai.usage.input_tokens": -5}, trace=trace(4)),
        span(3, trace=trace(4), end_ns=ahead_ns),
    )
    told = send(service, *spans)["partialSuccess"]
    assert told["rejectedSpans"] == "2"
    assert "count" in told["errorMessage"]
    answer = service.client.post(
        "/v1/traces", content=in_protobuf(traces(*spans)), headers=PROTOBUF
    )
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 2)
    assert [one["usage_id"][-1] for one in booked(service, trace(4))] == ["1"]


def test_metrics_and_logs_are_answered_and_nothing_of_them_is_kept(service: Running) -> None:
    before = service.written()
    for path, body in (("metrics", {"resourceMetrics": []}), ("logs", {"resourceLogs": [{}]})):
        answer = service.client.post(f"/v1/{path}", json=body)
        assert (answer.status_code, answer.json()) == (200, {})
        answer = service.client.post(f"/v1/{path}", content=b"", headers=PROTOBUF)
        assert (answer.status_code, answer.content) == (200, b"")
    assert service.written() == before


# --- Who may send --------------------------------------------------------------------------------


def test_only_keys_that_may_spend_send(service: Running) -> None:
    reader = service.post("/keys", {"name": "reader", "scopes": ["read"]})["key"]
    request = traces(span(1, trace=trace(5)))
    with httpx2.Client(base_url=service.url, trust_env=False, verify=False) as nobody:
        for headers, status, code in (
            ({}, 401, 16), ({"x-api-key": "bud_wrong"}, 401, 16), ({"x-api-key": reader}, 403, 7)
        ):  # fmt: skip
            answer = nobody.post("/v1/traces", json=request, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            answer = nobody.post(
                "/v1/traces", content=in_protobuf(request), headers={**headers, **PROTOBUF}
            )
            assert answer.status_code == status
            assert Status.FromString(answer.content).code == code
    assert booked(service, trace(5)) == []


def test_what_a_key_is_bound_to_is_so_whatever_a_span_says(service: Running) -> None:
    key = service.post(
        "/keys", {"name": "blue", "scopes": ["spend"], "bound": {"team": "blue"}}
    )["key"]  # fmt: skip
    request = traces(span(1, {**CHAT, "budget.team": "red"}, trace=trace(6)))
    answer = service.client.post("/v1/traces", json=request, headers={"x-api-key": key})
    assert (answer.status_code, answer.json()) == (200, {})
    (one,) = booked(service, trace(6))
    assert one["attributes"]["team"] == "blue"
    assert one["attributes"]["key"] == one["actor"]


# --- What is no OTLP -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b'{"resourceSpans": 5}', JSON, 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 7}]}]}]}', JSON, 400),
        (b'{"resourceSpans": ' + b"[" * 100_000, JSON, 400),
        (b"\xff\xff", PROTOBUF, 400),
        (b"\x0a\x7f", PROTOBUF, 400),
        (b"\x0b\x0c", PROTOBUF, 400),
        (b"\x0a\x02\x12\x09", PROTOBUF, 400),
        (b"\xff" * 20, PROTOBUF, 400),
        (b"not gzip", {**JSON, "content-encoding": "gzip"}, 400),
        (gzip.compress(b"{}")[:-9], {**JSON, "content-encoding": "gzip"}, 400),
        (b"{}", {**JSON, "content-encoding": "br"}, 415),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"x" * (bounds.MAX_BODY_BYTES + 1), JSON, 413),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_what_is_no_otlp_is_refused(
    service: Running, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = service.client.post("/v1/traces", content=body, headers=headers)
    assert answer.status_code == status
    if status == 400 and headers["content-type"] == "application/json":
        told = answer.json()
        assert told["code"] == 3
        assert told["message"].startswith("body: ")


def test_a_bomb_is_not_unpacked(service: Running) -> None:
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1024 * 1024)
    bomb = b"".join(packing.compress(block) for _ in range(20)) + packing.flush()
    assert len(bomb) < 100_000
    answer = service.client.post(
        "/v1/traces", content=bomb, headers={**PROTOBUF, "content-encoding": "gzip"}
    )
    assert answer.status_code == 413
    with pytest.raises(bounds.TooLarge):
        bounds.unpacked(bomb * 3, "gzip")


def test_more_spans_than_fit_into_memory_are_counted_before_they_are_read(
    service: Running,
) -> None:
    empty = b"\x12\x00" * 60_000
    inner = b"\x12" + _varint(len(empty)) + empty
    body = b"\x0a" + _varint(len(inner)) + inner
    answer = service.client.post("/v1/traces", content=body, headers=PROTOBUF)
    assert (answer.status_code, Status.FromString(answer.content).code) == (413, 8)
    with pytest.raises(bounds.TooLarge):
        bounds.check_json(b"{" * (bounds.MAX_OBJECTS + 1))


def _varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    told = bytearray()
    while value > 127:
        told.append(value & 127 | 128)
        value >>= 7
    return bytes((*told, value))


def test_members_of_gzip_are_read_one_after_another() -> None:
    assert bounds.unpacked(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == b"one two"


def test_other_methods_are_told_which_there_is(service: Running) -> None:
    answer = service.client.get("/v1/traces")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_without_the_setting_nothing_is_there(sqlite_databases: SqliteDatabases) -> None:
    with running(sqlite_databases.new(migrate)) as off:
        assert off.client.post("/v1/traces", json={}).status_code == 404


# --- Trouble -------------------------------------------------------------------------------------


def test_when_the_books_are_away_senders_are_told_to_come_again_and_nothing_counts_twice(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("The database does not answer.")

    spans = [span(at, trace=trace(8)) for at in range(1, 4)]
    with monkeypatch.context() as patch:
        patch.setattr("budget.neighbours.otel.booking.joined", away)
        answer = service.client.post("/v1/traces", json=traces(*spans))
        assert (answer.status_code, answer.json()["code"]) == (503, 14)
        assert int(answer.headers["retry-after"]) >= 1
        assert facts(service)["state"] == "failing"
    assert send(service, *spans) == {}
    assert facts(service)["state"] == "working"
    assert len(booked(service, trace(8))) == 3


def test_calls_are_held_and_booked_whatever_senders_do(service: Running) -> None:
    address = (service.client.base_url.host, int(service.client.base_url.port or 0))
    head = (
        f"POST /v1/traces HTTP/1.1\r\nHost: {address[0]}\r\nX-API-Key: {service.key}\r\n"
        "Content-Type: application/x-protobuf\r\nContent-Length: 5000\r\n\r\n"
    ).encode()
    for sent in (head, head + b"half of it", head + bytes(5000), b"\x16\x03\x01 no HTTP\r\n\r\n"):
        with socket.create_connection(address) as sender:
            sender.sendall(sent)
            ask = {"usd": "0.001", "attributes": {"component": "app"}}
            held = service.post("/allocations", ask)["allocation_id"]
            used = {"model": "m", "input_tokens": 1}
            service.post(f"/allocations/{held}/usage", used)
        assert send(service, span(1, trace=trace(11))) == {}
    assert len(booked(service, trace(11))) == 1


def test_the_same_spans_from_several_senders_at_once_are_counted_once(service: Running) -> None:
    request = in_protobuf(traces(*(span(at, trace=trace(12)) for at in range(1, 301))))
    answers: list[tuple[int, bytes]] = []

    def post() -> None:
        headers = {**PROTOBUF, "x-api-key": service.key}
        with httpx2.Client(base_url=service.url, trust_env=False, verify=False) as client:
            answer = client.post("/v1/traces", content=request, headers=headers, timeout=30)
            answers.append((answer.status_code, answer.content))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, b"")] * 4
    assert len(booked(service, trace(12))) == 300


def test_who_sends_too_much_at_once_is_told_to_wait(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, go_on = threading.Semaphore(0), threading.Event()
    held = receiver.Otlp._read

    def slow(self: Any, *told: Any) -> Any:
        going.release()
        assert go_on.wait(30)
        return held(self, *told)

    monkeypatch.setattr(receiver, "MAX_WAITING", 2)
    monkeypatch.setattr(receiver, "_QUICKLY_READ_BYTES", -1)
    monkeypatch.setattr(receiver.Otlp, "_read", slow)
    answers: list[int] = []

    def post(number: int) -> None:
        request = traces(span(1, trace=trace(900 + number)))
        with httpx2.Client(base_url=service.url, trust_env=False, verify=False) as client:
            key = {"x-api-key": service.key}
            answers.append(client.post("/v1/traces", json=request, headers=key).status_code)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    assert going.acquire(timeout=30)
    assert going.acquire(timeout=30)
    answer = service.client.post("/v1/traces", json=traces(span(1, trace=trace(999))))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert json.loads(answer.content)["code"] == 8
    go_on.set()
    for thread in threads:
        thread.join()
    assert answers == [200, 200]


def test_many_spans_in_one_request_are_all_booked(service: Running) -> None:
    said = {**CHAT, "gen_ai.conversation.id": "many"}
    spans = [span(at, said, trace=trace(10)) for at in range(1, 1202)]
    assert send(service, *spans) == {}
    summary = service.get("/usage/summary", session="many")
    assert summary["total"]["requests"] == 1201

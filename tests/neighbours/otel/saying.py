"""Saying: requests of OTLP as senders write them by hand, in JSON, and the same in protobuf.

Not here: what comes of them.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from budget.neighbours.otel.encodings import Encoding, encoding_of
from budget.neighbours.otel.spans import Span, spans_of

Json = dict[str, Any]

CHAT: Final[Mapping[str, Any]] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}
TRACE: Final = "5b8efff798038103d269b633813fc60c"
DELTA: Final = 1
CUMULATIVE: Final = 2


def attributes(said: Mapping[str, Any]) -> list[Json]:
    """Attributes as OTLP writes them in JSON: whole numbers as text."""
    return [{"key": key, "value": _value(value)} for key, value in said.items()]


def _value(value: Any) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def span(number: int, said: Mapping[str, Any] = CHAT, *, parent: int | None = None,
         trace: str = TRACE, failed: bool = False, end_ns: int | None = None) -> Json:  # fmt: skip
    """A span, whose id is a number."""
    end_ns = time.time_ns() if end_ns is None else end_ns
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(max(0, end_ns - 10**9) + number),
        "endTimeUnixNano": str(end_ns),
        "attributes": attributes(said),
        "status": {"code": 2} if failed else {},
    }


def traces(*spans: Json, about: Mapping[str, Any] = {"service.name": "app"}) -> Json:
    """A request of spans of one resource."""
    resource = {"attributes": attributes(about)}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def in_protobuf(request: Json) -> bytes:
    """A request of spans in protobuf, whose JSON has ids in base64 rather than hexadecimal."""
    import base64

    changed = json.loads(json.dumps(request))
    for resource in changed["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for one in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
    told: bytes = ParseDict(changed, ExportTraceServiceRequest()).SerializeToString()
    return told


def metrics_in_protobuf(request: Json) -> bytes:
    """A request of metrics in protobuf."""
    told: bytes = ParseDict(request, ExportMetricsServiceRequest()).SerializeToString()
    return told


def json_encoding() -> Encoding:
    found = encoding_of("application/json")
    assert found is not None
    return found


def read(*spans: Json, about: Mapping[str, Any] = {"service.name": "app"}) -> list[Span]:
    """Spans as the receiver reads them."""
    encoding = json_encoding()
    request = encoding.read("traces", json.dumps(traces(*spans, about=about)).encode())
    return list(spans_of(request, encoding))


def counter(name: str, points: Sequence[Json], temporality: int = CUMULATIVE) -> Json:
    """A counter with its points."""
    told = {"dataPoints": list(points), "aggregationTemporality": temporality, "isMonotonic": True}
    return {"name": name, "sum": told}


def histogram(name: str, points: Sequence[Json], temporality: int = CUMULATIVE) -> Json:
    """A histogram with its points."""
    return {
        "name": name,
        "histogram": {"dataPoints": list(points), "aggregationTemporality": temporality},
    }


def metrics(*told: Json, about: Mapping[str, Any] = {"service.name": "app"}) -> Json:
    """A request of metrics of one resource."""
    resource = {"attributes": attributes(about)}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [
        {"scope": {"name": "instrumentation"}, "metrics": list(told)}]}]}  # fmt: skip

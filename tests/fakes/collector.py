"""A collector of OpenTelemetry: takes what comes by OTLP over HTTP, in protobuf, as real ones do.

It is a component of the fakes, and fails as these do.
"""

import gzip
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.fakes.tekton.component import Asked, Component, Told

REQUESTS: Any = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


def collector() -> Component:
    """A collector, not started yet."""

    def answer(asked: Asked) -> Told:
        if asked.method != "POST" or asked.path not in REQUESTS:
            return 404, b""
        if asked.headers.get("content-type") != "application/x-protobuf":
            return 415, b""
        return 200, b""

    return Component(answer)


def _read(asked: Asked) -> Any:
    raw = asked.raw
    if asked.headers.get("content-encoding") == "gzip":
        raw = gzip.decompress(raw)
    return REQUESTS[asked.path].FromString(raw)


def values(attributes: Any) -> dict[str, Any]:
    """Attributes by name."""
    found = {}
    for one in attributes:
        kind = one.value.WhichOneof("value")
        value = getattr(one.value, kind)
        found[one.key] = (
            [item.string_value for item in value.values] if (kind == "array_value") else value
        )
    return found


def spans(component: Component) -> list[Any]:
    """The spans that came."""
    return [
        span
        for asked in list(component.asked)
        if asked.path == "/v1/traces"
        for resource in _read(asked).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def points(component: Component) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """The points that came: the metric's name, the point, and its attributes."""
    for asked in list(component.asked):
        if asked.path != "/v1/metrics":
            continue
        for resource in _read(asked).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    told = getattr(metric, metric.WhichOneof("data"))
                    for point in told.data_points:
                        yield metric.name, point, values(point.attributes)


def newest(component: Component, name: str, wanted: Callable[[dict[str, Any]], bool]) -> Any:
    """The newest point of a metric with such attributes; None: none came."""
    found = None
    for metric, point, said in points(component):
        if metric == name and wanted(said):
            found = point
    return found

"""Tracing: a span of OpenTelemetry for each request, where the extra `otel` is installed.

Names and attributes are those of the semantic conventions for HTTP servers. Where spans go is said
by the standard variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT` and so on). Nothing of
what callers send is in a span, nor a path with ids. Not here: whether spans are made (`serve`).
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.types import Scope

from budget import __version__
from budget.domain.errors import InvalidInput
from budget.neighbours.otel.endpoints import read_endpoint

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Span = Any
"""A span of OpenTelemetry, which is not there without the extra."""

_PARENTS: Final = (b"traceparent", b"tracestate")
_DECISIONS: Final = {201: "allowed", 402: "refused", 429: "refused"}
ALLOCATE: Final = "/api/v1/allocations"


class Tracer:
    """Makes spans until it is closed, which sends what is left."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("budget", __version__)
        self._context = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER

    def begin(self, scope: Scope, route: str, request_id: str) -> Span:
        """The span of a request, under the one that its caller says it is part of."""
        carrier = {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _PARENTS
        }
        parent = self._context.extract(carrier) if carrier else None
        return self._tracer.start_span(
            f"{scope['method']} {route}",
            context=parent,
            kind=self._kind,
            attributes={
                "http.request.method": scope["method"],
                "http.route": route,
                "url.scheme": scope.get("scheme", "http"),
                "budget.request_id": request_id,
            },
        )

    def end(self, span: Span, status: int, actor: str | None) -> None:
        """End a span with how its request was answered."""
        from opentelemetry.trace import StatusCode

        span.set_attribute("http.response.status_code", status)
        if actor is not None:
            span.set_attribute("budget.actor", actor)
        if span.name == f"POST {ALLOCATE}" and status in _DECISIONS:
            span.set_attribute("budget.decision", _DECISIONS[status])
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(StatusCode.ERROR)
        span.end()

    def close(self) -> None:
        """Send what is left, or leave it if that takes too long."""
        from budget.neighbours.otel.exporters import LAST_SECONDS, end_within

        end_within(LAST_SECONDS, self._provider.shutdown)


def exporting_tracer(env: Mapping[str, str] = os.environ) -> Tracer:
    """A tracer that sends to where the environment says; InvalidInput without the extra, and where
    that cannot be.
    """
    address = read_endpoint(env, "traces")
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from budget.neighbours.otel.exporters import Delivery, Spans
    except ImportError:
        raise InvalidInput(
            "BUDGET_TRACES", "needs the extra otel: pip install 'budgetd[otel]'."
        ) from None
    named = Resource.create({SERVICE_NAME: "budget", SERVICE_VERSION: __version__})
    provider = TracerProvider(resource=named, shutdown_on_exit=False)
    exporter = Spans(address, Delivery(), "spans of requests")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracer(provider)

"""Instruments: the meters and tracers of OpenTelemetry that what was booked is told by.

Where they send is said by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and so on). Needs
the extra `otel`, which is loaded here. Not here: what is told (`booked`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from budget import __version__
from budget.neighbours.neighbour import Contact
from budget.neighbours.otel import names
from budget.neighbours.otel.booked import Booked, span_of, told_of
from budget.neighbours.otel.exporters import LAST_SECONDS, Delivery, Metrics, Spans, end_within

MAX_SERIES: Final = 1000
"""Of more combinations of provider, model and component only the operation is told."""

Decisions = Callable[[], Mapping[str, int]]


class Instruments:
    """Tell what was booked until they are closed, which sends what is left. `metrics_to` and
    `spans_to` are where these go, as it may be shown; None: no spans.
    """

    def __init__(
        self,
        contact: Contact,
        instance: str,
        decisions: Decisions,
        *,
        metrics_to: str,
        spans_to: str | None = None,
    ) -> None:
        self._contact = contact
        self._taken = 0
        contact.note(told=0)
        delivery = Delivery(contact)
        resource = Resource.create(
            {SERVICE_NAME: "budget", SERVICE_VERSION: __version__, names.INSTANCE: instance}
        )
        reader = PeriodicExportingMetricReader(Metrics(metrics_to, delivery, self._count))
        self._meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        meter = self._meters.get_meter("budget", __version__)
        self._counters = {
            ours: meter.create_counter(name, "{token}")
            for ours, name in names.COUNTERS_TOLD.items()
        }
        self._each = {
            ours: meter.create_histogram(
                name, "{token}", explicit_bucket_boundaries_advisory=names.TOKEN_USAGE_BUCKETS
            )
            for ours, name in names.PER_OPERATION_TOLD.items()
        }
        self._older = meter.create_histogram(
            names.TOKEN_USAGE,
            "{token}",
            explicit_bucket_boundaries_advisory=names.TOKEN_USAGE_BUCKETS,
        )
        self._cost = meter.create_counter(names.COST, "nUSD", "What was booked, in nano-USD")
        meter.create_observable_counter(
            names.DECISIONS, [_observed(decisions)], "{decision}", "What was decided on holds"
        )
        self._series: set[frozenset[tuple[str, str]]] = set()
        self._traces: TracerProvider | None = None
        if spans_to is not None:
            self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._traces.add_span_processor(BatchSpanProcessor(Spans(spans_to, delivery)))

    def tell(self, booked: Booked) -> None:
        """Count a usage record, and make its span."""
        told = self._bounded(told_of(booked))
        for name, counter in self._counters.items():
            count = booked.counts.get(name, 0)
            if count:
                counter.add(count, {**told, names.MODALITY: "text"})
        for name, histogram in self._each.items():
            histogram.record(booked.counts.get(name, 0), {**told, names.MODALITY: "text"})
        for kind, name in names.TOKEN_TYPES.items():
            self._older.record(booked.counts.get(name, 0), {**told, names.TOKEN_TYPE: kind})
        if booked.cost_nanos is not None and booked.cost_nanos > 0:
            self._cost.add(booked.cost_nanos, told)
        if self._traces is not None:
            self._trace(
                f"budget record {booked.model or booked.operation}", span_of(booked),
                booked.began_us, booked.ended_us, booked.traceparent,
            )  # fmt: skip

    def decided(self, decision: str, at_us: int, told: Mapping[str, str]) -> None:
        """Make the span of a decision."""
        if self._traces is not None:
            said = {names.DECISION: decision, **told}
            self._trace(f"budget decide {decision}", said, at_us, at_us, None)

    def close(self) -> None:
        """Send what is left, or leave it if that takes too long."""
        ends: list[Callable[[], object]] = [self._meters.shutdown]
        if self._traces is not None:
            ends.append(self._traces.shutdown)
        end_within(LAST_SECONDS, *ends)

    def _count(self, taken: MetricsData) -> None:
        """Note how many records the collector knows of."""
        for histogram in _histograms(taken, names.PER_OPERATION_TOLD["output_tokens"]):
            count = sum(point.count for point in histogram.data_points)
            adds = histogram.aggregation_temporality is AggregationTemporality.DELTA
            self._taken = self._taken + count if adds else count
        self._contact.note(told=self._taken)

    def _trace(
        self, name: str, said: Mapping[str, Any], began_us: int, ended_us: int, parent: str | None
    ) -> None:
        assert self._traces is not None
        above = None
        if parent is not None:
            above = TraceContextTextMapPropagator().extract({"traceparent": parent})
        span = self._traces.get_tracer("budget", __version__).start_span(
            name, context=above, kind=SpanKind.INTERNAL, attributes=dict(said),
            start_time=began_us * 1000,
        )  # fmt: skip
        span.end(max(began_us, ended_us) * 1000)

    def _bounded(self, told: dict[str, str]) -> dict[str, str]:
        """What is told, or where that would make too many series, less."""
        series = frozenset(told.items())
        if series not in self._series:
            if len(self._series) >= MAX_SERIES:
                return {names.OPERATION: told[names.OPERATION]}
            self._series.add(series)
        return told


def _histograms(told: MetricsData, name: str) -> Iterator[Histogram]:
    for resource in told.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == name and isinstance(metric.data, Histogram):
                    yield metric.data


def _observed(decisions: Decisions) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(options: CallbackOptions) -> Iterable[Observation]:
        del options
        return [Observation(count, {names.DECISION: name}) for name, count in decisions().items()]

    return observe

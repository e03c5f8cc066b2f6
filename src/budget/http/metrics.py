"""Metrics: the figures of the process and of its books, as Prometheus reads them.

Labels are bounded: routes come from the table, kinds from the code, balances are the 500 that moved
last. Not here: what is counted (`traffic`, `engine.meter`), how the books stand (`watched`).
"""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from budget import __version__
from budget.domain.money import NANOS_PER_USD
from budget.engine.callers import require_unbound
from budget.engine.gauges import Gauges
from budget.http.calls import Call, Service
from budget.http.problems import Reply

if TYPE_CHECKING:
    from prometheus_client.core import Metric

MEDIA_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
FIGURES: Final = ("limit", "spent", "reserved", "assumed", "overrun")


async def metrics(call: Call) -> Reply:
    """The figures of this process and of the books, as Prometheus reads them."""
    require_unbound(call.caller)
    gauges = await call.service.watched.read(call.service.budget.books)
    return Reply(200, await asyncio.to_thread(render, call.service, gauges), MEDIA_TYPE)


def render(service: Service, gauges: Gauges | None) -> bytes:
    """All figures in the text format of Prometheus."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Collector(service, gauges))
    return generate_latest(registry)


class _Collector:
    def __init__(self, service: Service, gauges: Gauges | None) -> None:
        self._service = service
        self._gauges = gauges

    def collect(self) -> "Iterator[Metric]":
        yield from _of_traffic(self._service)
        yield from _of_the_ledger(self._service)
        yield from _of_the_service(self._service, self._gauges)
        if self._gauges is not None:
            yield from _of_balances(self._gauges)
            yield from _of_the_books(self._gauges)


def _of_traffic(service: Service) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    traffic = service.observer.traffic
    answers = CounterMetricFamily(
        "budget_http_requests", "Requests answered", labels=("method", "route", "status")
    )
    for name, count in list(traffic.answers.items()):
        answers.add_metric(name, count)
    yield answers
    seconds = HistogramMetricFamily(
        "budget_http_request_seconds", "From a request's head to its answer",
        labels=("method", "route"),
    )  # fmt: skip
    for route, histogram in list(traffic.seconds.items()):
        seconds.add_metric(route, histogram.buckets(), histogram.sum)
    yield seconds


def _of_the_ledger(service: Service) -> "Iterator[Metric]":
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    ledger = service.budget.books.ledger
    meter = ledger.meter
    decisions = CounterMetricFamily(
        "budget_decisions", "Commands decided, by act and result", labels=("act", "result")
    )
    for name, count in list(meter.decisions.items()):
        decisions.add_metric(name, count)
    yield decisions
    yield CounterMetricFamily(
        "budget_commands_late", "Commands that waited too long in the queue", value=meter.late
    )
    yield GaugeMetricFamily("budget_queue_depth", "Commands that wait", value=ledger.queued)
    yield HistogramMetricFamily(
        "budget_batch_commands", "Commands in a batch",
        buckets=meter.batch_sizes.buckets(), sum_value=meter.batch_sizes.sum,
    )  # fmt: skip
    yield HistogramMetricFamily(
        "budget_batch_seconds", "A batch, from its beginning to its commit",
        buckets=meter.batch_seconds.buckets(), sum_value=meter.batch_seconds.sum,
    )  # fmt: skip
    yield HistogramMetricFamily(
        "budget_command_seconds", "A command, from the queue to its answer",
        buckets=meter.wait_seconds.buckets(), sum_value=meter.wait_seconds.sum,
    )  # fmt: skip


def _of_the_service(service: Service, gauges: Gauges | None) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    books = service.budget.books
    described = books.database.describe()
    yield InfoMetricFamily(
        "budget", "What runs here", value={"version": __version__, "database": described["engine"]}
    )
    yield GaugeMetricFamily(
        "budget_up", "Whether the writer runs and the books were read",
        value=int(books.ledger.alive and gauges is not None),
    )  # fmt: skip
    left_out = GaugeMetricFamily(
        "budget_gateway_left_out", "Upstreams that failed again and again and are left alone",
        labels=("upstream",),
    )  # fmt: skip
    for name in () if service.gateway is None else service.gateway.left_out():
        left_out.add_metric((name,), 1)
    yield left_out
    yield GaugeMetricFamily(
        "budget_expiry_paused", "Whether expiry waits for the clock to be trusted",
        value=int(books.ledger.clock_guard.paused),
    )  # fmt: skip


def _of_balances(gauges: Gauges) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    labels = ("budget", "policy_id", "partition", "unit", "period", "enforcement")
    families = {
        name: GaugeMetricFamily(
            f"budget_balance_{name}", f"{name.capitalize()} now, in USD or a count", labels=labels
        )
        for name in FIGURES
    }
    for one in gauges.balances:
        policy = one.policy
        named = (
            one.budget, policy.policy_id, one.partition, policy.unit,
            policy.period.text, policy.enforcement,
        )  # fmt: skip
        for name, family in families.items():
            amount = getattr(one, name)
            family.add_metric(named, amount / NANOS_PER_USD if policy.unit == "usd" else amount)
    yield from families.values()
    yield GaugeMetricFamily(
        "budget_balances_left_out", "Balances that moved less lately than those told",
        value=gauges.balances_left_out,
    )  # fmt: skip


def _of_the_books(gauges: Gauges) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    alerts = GaugeMetricFamily(
        "budget_alerts", "Alerts that nobody has seen to", labels=("kind", "severity")
    )
    for kind, severity, count in gauges.alerts:
        alerts.add_metric((kind, severity), count)
    yield alerts
    yield GaugeMetricFamily(
        "budget_open_allocations", "Allocations that are open", value=gauges.open_allocations
    )
    yield GaugeMetricFamily(
        "budget_overdue_allocations", "Open allocations whose time is up",
        value=gauges.overdue_allocations,
    )  # fmt: skip
    yield GaugeMetricFamily(
        "budget_unsealed_entries", "Entries of the journal that are not sealed yet",
        value=gauges.unsealed_entries,
    )  # fmt: skip
    yield GaugeMetricFamily(
        "budget_deliveries_waiting", "Notices that channels are still to be told",
        value=gauges.deliveries_waiting,
    )  # fmt: skip
    yield GaugeMetricFamily(
        "budget_deliveries_overdue", "Notices that were due a minute ago or more",
        value=gauges.deliveries_overdue,
    )  # fmt: skip
    covered = GaugeMetricFamily(
        "budget_price_coverage_ratio", "Share of the last day's usage by how sure its price is",
        labels=("of", "status"),
    )  # fmt: skip
    for share in gauges.coverage:
        covered.add_metric((share.of, share.status), share.bps / 10_000)
    yield covered

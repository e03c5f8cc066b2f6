"""Exporters: those of OpenTelemetry's SDK, which say how it goes and end in time.

The SDK logs each of its tries; here it is said once that a collector does not take what it is sent,
and why. Needs the extra `otel`, which is loaded here. Not here: the variables that say where to
(`endpoints`), and what is told (`instruments`, `http.tracing`).
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from budget.neighbours.neighbour import Contact

LAST_SECONDS: Final = 1.25
"""How long the last of it may take when the service ends; twice, one after the other."""

_QUIET: Final = {
    "opentelemetry.exporter": logging.CRITICAL,
    "opentelemetry.sdk._shared_internal": logging.ERROR,  # its queue is full: a consequence
}
_UNSENT: Final = "was not asked"

_log = logging.getLogger("budget.neighbours")


class Delivery:
    """How it goes with what is sent to a collector: said in the log once it begins to fail, and to
    a contact, where there is one, each time.
    """

    def __init__(self, contact: Contact | None = None) -> None:
        self._contact = contact
        self._failing: set[str] = set()
        self._turn = threading.Lock()
        for name, level in _QUIET.items():
            logging.getLogger(name).setLevel(level)

    def went(self, what: str, why: str | None) -> None:
        """Note that something was taken, or why it was not."""
        with self._turn:
            if why is None:
                self._failing.discard(what)
                if self._contact is not None and not self._failing:
                    self._contact.went_well()
                return
            told = f"The collector {why}, and did not take {what}."
            if what not in self._failing:
                _log.warning("otel fails: %s", told)
            self._failing.add(what)
            if self._contact is not None:
                self._contact.failed(told)


class Metrics(OTLPMetricExporter):
    """Sends metrics; `taken` is told of those that the collector took."""

    def __init__(
        self, address: str, delivery: Delivery, taken: Callable[[MetricsData], None]
    ) -> None:
        self._line = _Line(address)
        super().__init__(session=self._line)
        self._delivery = delivery
        self._taken = taken

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **more: Any
    ) -> MetricExportResult:
        self._line.why = _UNSENT
        result = super().export(metrics_data, timeout_millis, **more)
        if self._line.taken:
            self._taken(metrics_data)
        self._delivery.went("metrics", self._line.why)
        return result


class Spans(OTLPSpanExporter):
    """Sends spans, called so in what is said of them."""

    def __init__(self, address: str, delivery: Delivery, called: str = "spans") -> None:
        self._line = _Line(address)
        super().__init__(session=self._line)
        self._delivery = delivery
        self._called = called

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._line.why = _UNSENT
        result = super().export(spans)
        self._delivery.went(self._called, self._line.why)
        return result


class _Line(requests.Session):
    """Notes why the last request was not taken; None: it was. `address` is as it may be shown."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.why: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the last request was."""
        return self.why is None

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        try:
            answer = super().send(request, **more)
        except requests.RequestException as error:
            self.why = f"at {self._address} {_reason(error)}"
            raise
        # The SDK takes a redirection, which it does not follow, for success.
        well = answer.status_code < 300
        self.why = None if well else f"at {self._address} answered {answer.status_code}"
        return answer


def _reason(error: requests.RequestException) -> str:
    """What went wrong; not in the words of the error, in which secrets may be."""
    if isinstance(error, requests.exceptions.SSLError):
        return "showed no certificate that is believed"
    if isinstance(error, requests.exceptions.Timeout):
        return "did not answer in time"
    return "could not be reached, or broke off"


def end_within(seconds: float, *ends: Callable[[], object]) -> None:
    """Call all at once, and wait so long at most until they have ended: of what has not, nobody
    waits for the end.
    """
    threads = [threading.Thread(target=end, daemon=True) for end in ends]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))

"""What a collector does not take is said once, and why; and one that hangs holds nobody up."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from budget.http.tracing import exporting_tracer
from budget.neighbours.neighbour import Contact
from budget.neighbours.otel import instruments as making
from budget.neighbours.otel.booked import Booked
from budget.neighbours.otel.exporters import end_within
from budget.neighbours.otel.instruments import Instruments
from tests.fakes.collector import collector, newest, spans
from tests.fakes.tekton.component import BROKEN, Component
from tests.fakes.tekton.component import running as component_running


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
            ("OTEL_EXPORTER_OTLP_ENDPOINT", found.url), ("OTEL_METRIC_EXPORT_INTERVAL", "20"),
            ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        yield found


def instruments(told: Component, contact: Contact, *, traced: bool = False) -> Instruments:
    return Instruments(
        contact, "i", dict, metrics_to=told.url, spans_to=told.url if traced else None
    )


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def booked(number: int) -> Booked:
    return Booked(
        f"use_{number}", None, 1, 2, "chat", "openai", "gpt-4o", None, None, None,
        {"input_tokens": 10, "output_tokens": 5}, 10, (), None, None,
    )  # fmt: skip


def test_only_what_the_collector_took_is_counted_and_why_not_is_told_once(
    told: Component, caplog: pytest.LogCaptureFixture
) -> None:
    contact = Contact()
    telling = instruments(told, contact)
    assert contact.facts == {"told": "0"}
    told.fault = BROKEN
    telling.tell(booked(1))
    telling.tell(booked(2))
    seen = len(told.asked)
    eventually(lambda: contact.state == "failing" and len(told.asked) > seen + 3)
    assert (
        contact.last_error == f"The collector at {told.url} answered 500, and did not take metrics."
    )
    assert contact.facts == {"told": "0"}
    assert warnings(caplog) == [f"otel fails: {contact.last_error}"]
    told.fault = lambda _: (302, b"")  # for the SDK that is success
    eventually(lambda: "302" in (contact.last_error or ""))
    assert contact.facts == {"told": "0"}
    told.fault = None
    eventually(lambda: contact.state == "working")
    assert contact.facts == {"told": "2"}
    telling.tell(booked(3))
    eventually(lambda: contact.facts == {"told": "3"})
    assert len(warnings(caplog)) == 1
    told.fault = BROKEN
    eventually(lambda: len(warnings(caplog)) == 2)
    telling.close()


def test_one_that_is_away_is_told_once_of_each_signal_however_often_it_is_tried(
    told: Component, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    told.stop()
    contact = Contact()
    telling = instruments(told, contact, traced=True)
    telling.tell(booked(1))
    eventually(lambda: len(warnings(caplog)) == 2)
    telling.tell(booked(2))
    failed_us = contact.last_error_us
    eventually(lambda: contact.last_error_us != failed_us)
    assert sorted(warnings(caplog)) == [
        f"otel fails: The collector at {told.url} could not be reached, or broke off, "
        f"and did not take {what}."
        for what in ("metrics", "spans")
    ]
    told.start()
    telling.tell(booked(3))
    eventually(lambda: contact.state == "working" and spans(told))
    telling.close()


def test_a_collector_that_hangs_is_not_waited_for(
    told: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
    told.hold = threading.Event()
    telling = instruments(told, Contact(), traced=True)
    tracer = exporting_tracer()
    tracer.end(tracer.begin({"method": "GET", "headers": []}, "/health", "r"), 200, None)
    telling.tell(booked(1))
    told.wait_for(lambda: len(told.asked) >= 3)  # metrics, and spans of either kind

    def close() -> None:
        telling.close()
        tracer.close()

    closing = threading.Thread(target=close)
    closing.start()
    closing.join(25)  # to wait for it would take at least 30 seconds
    assert not closing.is_alive()


def test_what_was_booked_last_is_sent_at_the_end(
    told: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "LAST_SECONDS", 30)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "600000")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    contact = Contact()
    telling = instruments(told, contact, traced=True)
    telling.tell(booked(1))
    telling.close()
    assert contact.facts == {"told": "1"}
    assert newest(told, "budget.usage.cost", lambda _: True).as_int == 10
    assert [one.name for one in spans(told)] == ["budget record gpt-4o"]


def test_of_what_does_not_end_nobody_waits_for_the_end() -> None:
    held, ended = threading.Event(), threading.Event()
    end_within(0.01, held.wait)
    assert not held.is_set()
    end_within(60, ended.set, ended.wait)
    assert ended.is_set()
    held.set()

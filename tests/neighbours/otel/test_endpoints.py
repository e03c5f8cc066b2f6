"""The standard variables of OpenTelemetry are read at the start, and no secret of them is told."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.http.tracing import exporting_tracer
from budget.neighbours.known import Setup, read_neighbours
from budget.neighbours.otel.endpoints import Signal, read_endpoint
from budget.prices.book import PriceBook
from tests.support.databases import sqlite_url

PREFIX = "OTEL_EXPORTER_OTLP_"
NO_HEADERS = [
    "authorization Bearer topsecret",
    "a=b,topsecret",
    "author ization=topsecret",
    "=topsecret",
    "a=topsecret;b=c",
    'a="topsecret"',
    "a=topsecret%0d%0ab: c",
    "a%20b=topsecret",
    "a=topsecret\u20ac",
    "a=topsecret%E2%82%AC",
    "a=b\ntopsecret",
]
NO_ADDRESSES = [
    "localhost:4318",
    "127.0.0.1:4318",
    "grpc://localhost:4317",
    "http://",
    "http://:4318",
    "http://localhost:port",
    "http://localhost:99999",
    "http://[::1",
    "http://me:topsecret@",
    "http://local host:4318",
    "/v1/metrics",
]
OTHERS = [
    ("PROTOCOL", "grpc"), ("PROTOCOL", "http/json"), ("COMPRESSION", "zstd"),
    *(("TIMEOUT", one) for one in ("soon", "0", "-1", "nan", "inf")),
]  # fmt: skip
WRONG = [
    *(("HEADERS", one) for one in NO_HEADERS), *(("ENDPOINT", one) for one in NO_ADDRESSES), *OTHERS
]  # fmt: skip


@pytest.mark.parametrize(("what", "value"), WRONG)
def test_what_cannot_be_meant_is_named_and_no_secret_told(what: str, value: str) -> None:
    signals: tuple[Signal, ...] = ("metrics", "traces")
    for signal, name in itertools.product(signals, (what, f"{{}}_{what}")):
        name = PREFIX + name.format(signal.upper())
        with pytest.raises(InvalidInput) as caught:
            read_endpoint({name: value}, signal)
        assert caught.value.field == name
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({}, "http://localhost:4318"),
        ({"ENDPOINT": ""}, "http://localhost:4318"),
        ({"ENDPOINT": "https://me:secret@otel.example.com/x?k=1"}, "https://otel.example.com"),
        ({"ENDPOINT": "wrong", "TRACES_ENDPOINT": "http://[::1]:4318"}, "http://[::1]:4318"),
        ({"PROTOCOL": "http/protobuf", "COMPRESSION": "GZIP", "TIMEOUT": "0.5"},
         "http://localhost:4318"),
        ({"HEADERS": "authorization=Bearer%20secret, x-a = b c ,,d=", "METRICS_PROTOCOL": "grpc"},
         "http://localhost:4318"),
    ],
)  # fmt: skip
def test_what_can_be_meant_is_taken_and_its_own_counts_before_that_of_all(
    said: dict[str, str], shown: str
) -> None:
    assert read_endpoint({PREFIX + name: one for name, one in said.items()}, "traces") == shown


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    opened = Books.open(sqlite_url(tmp_path / "budget.db"), prices=PriceBook(None), sweep=False)
    yield opened
    opened.close()


def test_nothing_starts_that_could_not_send(books: Books) -> None:
    def started(**env: str) -> None:
        read_neighbours(Setup(env, AsyncBudget(books), "http://127.0.0.1:8013", 8013, "i"))

    secret = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization Bearer topsecret"}
    traces = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
    with pytest.raises(InvalidInput, match="OTEL_EXPORTER_OTLP_HEADERS: must be name=value"):
        started(BUDGET_OTEL_METRICS="on", **secret)
    with pytest.raises(InvalidInput, match="OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' is not"):
        started(BUDGET_OTEL_METRICS="on", BUDGET_TRACES="on", **traces)
    with pytest.raises(InvalidInput, match="OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' is not"):
        exporting_tracer(traces)
    started(BUDGET_OTEL_METRICS="on", **traces)  # no spans are sent
    started(**secret)  # nothing is

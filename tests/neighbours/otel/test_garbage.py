"""Whatever comes by OTLP, reading it ends with usage or an error of ours, never otherwise."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from budget.domain.attributes import parse_attributes
from budget.domain.errors import BudgetError
from budget.neighbours.otel.bounds import unpacked
from budget.neighbours.otel.encodings import Encoding, Signal, encoding_of
from budget.neighbours.otel.points import Series, series_of, usage_of_series
from budget.neighbours.otel.spans import spans_of, usage_of
from tests.neighbours.otel.saying import (
    CHAT,
    attributes,
    counter,
    in_protobuf,
    metrics,
    metrics_in_protobuf,
    span,
    traces,
)

EXAMPLES = 150
NAMES = st.sampled_from([*CHAT, "budget.team", "budget.tag.x", "service.name", "user.id", "x"])
ANYTHING: Any = st.one_of(
    st.text(max_size=300), st.integers(-(2**63), 2**63 - 1), st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip


def encoding(media_type: str) -> Encoding:
    found = encoding_of(media_type)
    assert found is not None
    return found


BOTH = (encoding("application/json"), encoding("application/x-protobuf"))


def read_all(signal: Signal, body: bytes, one: Encoding) -> None:
    """Read a request to its end: what is found is as `record_bulk` takes it."""
    request = one.read(signal, body)
    asks: list[Any]
    if signal == "metrics":
        found, _ = series_of(request, one)
        asks = [usage_of_series(each, _grown(each)) for each in found]
    else:
        asks = [usage_of(each, frozenset()) for each in spans_of(request, one)]
    for ask in asks:
        if isinstance(ask, dict):
            parse_attributes(ask["attributes"])
            json.dumps(ask).encode()


def _grown(series: Series) -> dict[str, int]:
    return {name: value for name, (_, value) in series.figures.items()}


@given(st.binary(max_size=200), st.sampled_from(["traces", "metrics", "logs"]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_bytes_that_mean_nothing(body: bytes, signal: Signal) -> None:
    for one in BOTH:
        with contextlib.suppress(BudgetError):
            one.read(signal, body)
    with contextlib.suppress(BudgetError):
        unpacked(body, "gzip")


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_requests_of_which_some_bytes_were_changed(data: Any) -> None:
    point = {"attributes": attributes(CHAT), "asInt": "5", "timeUnixNano": "7"}
    counted = metrics(counter("gen_ai.client.inference.usage.input_tokens", [point]))
    signal: Signal = data.draw(st.sampled_from(["traces", "metrics"]))
    one = data.draw(st.sampled_from(BOTH))
    request = traces(span(1), span(2)) if signal == "traces" else counted
    if one.media_type == "application/json":
        body = bytearray(json.dumps(request).encode())
    else:
        body = bytearray(
            in_protobuf(request) if signal == "traces" else metrics_in_protobuf(request)
        )
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BudgetError):
        read_all(signal, bytes(body), one)


@given(st.dictionaries(NAMES, ANYTHING, max_size=8), st.dictionaries(NAMES, ANYTHING, max_size=4))
@settings(max_examples=EXAMPLES, deadline=None)
def test_spans_that_say_anything_in_both_encodings_are_the_same_usage(
    said: dict[str, Any], about: dict[str, Any]
) -> None:
    request = traces(span(1, {**CHAT, **said}, end_ns=10**18), about=about)
    try:
        told = json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which no encoding has
        return
    as_json, as_protobuf = (
        [usage_of(each, frozenset()) for each in spans_of(one.read("traces", body), one)]
        for one, body in zip(BOTH, (told, in_protobuf(request)), strict=True)
    )
    assert as_json == as_protobuf
    read_all("traces", told, BOTH[0])

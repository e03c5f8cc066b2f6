"""Encodings: the requests of OTLP as they come over HTTP, in protobuf or JSON, and its answers.

Both are read into things of the same form: attributes are called as protobuf calls them, ids are
hexadecimal text by `hex_id`, values come by `value`. Not here: what spans and metrics mean.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from budget.domain.errors import InvalidInput
from budget.neighbours.otel.bounds import check_json, check_protobuf

Signal = Literal["traces", "metrics", "logs"]

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
MAX_TOLD_CHARS: Final = 500


class Encoding(NamedTuple):
    """How requests are read and answers written. `read` raises InvalidInput for what is none,
    TooLarge for what has too much in it.
    """

    media_type: str
    read: Callable[[Signal, bytes], Any]
    hex_id: Callable[[Any], str]
    value: Callable[[Any], Any]
    accepted: Callable[[Signal, int, str], bytes]
    refused: Callable[[int, str], bytes]


def encoding_of(media_type: str) -> Encoding | None:
    """The encoding of a media type; None if it is neither."""
    if media_type == PROTOBUF:
        return _protobuf()
    return _JSON if media_type == JSON else None


_REJECTED: Final[Mapping[Signal, str]] = {
    "traces": "rejected_spans",
    "metrics": "rejected_data_points",
    "logs": "rejected_log_records",
}

# --- Protobuf ------------------------------------------------------------------------------------

_kept: list[Encoding] = []


def _protobuf() -> Encoding:
    """That of protobuf, whose library is loaded when the first request of it comes."""
    if not _kept:
        _kept.append(_load_protobuf())
    return _kept[0]


def _load_protobuf() -> Encoding:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

    answers: dict[Signal, Any] = {
        "traces": traces.ExportTraceServiceResponse,
        "metrics": metrics.ExportMetricsServiceResponse,
        "logs": logs.ExportLogsServiceResponse,
    }
    requests: dict[Signal, Any] = {
        "traces": traces.ExportTraceServiceRequest,
        "metrics": metrics.ExportMetricsServiceRequest,
        "logs": logs.ExportLogsServiceRequest,
    }

    def read(signal: Signal, body: bytes) -> Any:
        check_protobuf(body, signal)
        try:
            return requests[signal].FromString(body)
        except DecodeError:
            raise InvalidInput("body", f"is no OTLP request of {signal} in protobuf.") from None

    def accepted(signal: Signal, rejected: int, why: str) -> bytes:
        answer = answers[signal]()
        if rejected or why:
            setattr(answer.partial_success, _REJECTED[signal], rejected)
            answer.partial_success.error_message = why[:MAX_TOLD_CHARS]
        encoded: bytes = answer.SerializeToString()
        return encoded

    def refused(code: int, why: str) -> bytes:
        encoded: bytes = Status(code=code, message=why).SerializeToString()
        return encoded

    return Encoding(PROTOBUF, read, bytes.hex, _protobuf_value, accepted, refused)


def _protobuf_value(value: Any) -> Any:
    """A text, a whole number, a number or a truth; None for what is none of these."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    return getattr(value, kind) if kind in ("bool_value", "double_value") else None


# --- JSON ----------------------------------------------------------------------------------------

_Whole = int | str
"""JSON of OTLP writes numbers of 64 bits as text."""


class _Struct(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """An object of OTLP in JSON; fields that nobody reads are left alone, as it demands."""


class _Value(_Struct, frozen=True):
    string_value: str | None = None
    int_value: _Whole | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None


class _Attribute(_Struct, frozen=True):
    key: str
    value: _Value = _Value()


class _Attributed(_Struct, frozen=True):
    attributes: list[_Attribute] = []


class _Scope(_Struct, frozen=True):
    name: str = ""


class _Status(_Struct, frozen=True):
    code: int = 0


class _Span(_Struct, frozen=True):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    start_time_unix_nano: _Whole = 0
    end_time_unix_nano: _Whole = 0
    attributes: list[_Attribute] = []
    status: _Status = _Status()


class _ScopeSpans(_Struct, frozen=True):
    spans: list[_Span] = []


class _ResourceSpans(_Struct, frozen=True):
    resource: _Attributed = _Attributed()
    scope_spans: list[_ScopeSpans] = []


class _Traces(_Struct, frozen=True):
    resource_spans: list[_ResourceSpans] = []


class _Point(_Struct, frozen=True):
    attributes: list[_Attribute] = []
    start_time_unix_nano: _Whole = 0
    time_unix_nano: _Whole = 0
    as_int: _Whole | None = None
    as_double: float | str | None = None
    sum: float | str | None = None
    count: _Whole = 0


class _Points(_Struct, frozen=True):
    data_points: list[_Point] = []
    aggregation_temporality: int = 0
    is_monotonic: bool = False


_NO_POINTS: Final = _Points()


class _Metric(_Struct, frozen=True):
    name: str = ""
    sum: _Points = _NO_POINTS
    histogram: _Points = _NO_POINTS
    exponential_histogram: _Points = _NO_POINTS


class _ScopeMetrics(_Struct, frozen=True):
    scope: _Scope = _Scope()
    metrics: list[_Metric] = []


class _ResourceMetrics(_Struct, frozen=True):
    resource: _Attributed = _Attributed()
    scope_metrics: list[_ScopeMetrics] = []


class _Metrics(_Struct, frozen=True):
    resource_metrics: list[_ResourceMetrics] = []


class _Logs(_Struct, frozen=True):
    pass


_READERS: Final[Mapping[Signal, Any]] = {
    "traces": msgspec.json.Decoder(_Traces),
    "metrics": msgspec.json.Decoder(_Metrics),
    "logs": msgspec.json.Decoder(_Logs),
}


def _read_json(signal: Signal, body: bytes) -> Any:
    check_json(body)
    try:
        return _READERS[signal].decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())[:200]
        raise InvalidInput("body", f"is no OTLP request of {signal} in JSON: {told}.") from None
    except RecursionError:
        raise InvalidInput("body", "is nested too deep.") from None


def _json_value(value: _Value) -> Any:
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return whole(value.int_value)
    return value.bool_value if value.double_value is None else number(value.double_value)


def whole(value: Any) -> int | None:
    """A whole number that may be written as text; None if it is none."""
    if type(value) is int:
        return value
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) <= 20:
        return int(value)
    return None


def number(value: Any) -> float | None:
    """A number that may be written as text, as NaN and the infinities are."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _json_accepted(signal: Signal, rejected: int, why: str) -> bytes:
    if not rejected and not why:
        return b"{}"
    first, *rest = _REJECTED[signal].split("_")
    name = first + "".join(word.title() for word in rest)
    told = {"partialSuccess": {name: str(rejected), "errorMessage": why[:MAX_TOLD_CHARS]}}
    return msgspec.json.encode(told)


def _json_refused(code: int, why: str) -> bytes:
    return msgspec.json.encode({"code": code, "message": why})


_JSON: Final = Encoding(JSON, _read_json, str.lower, _json_value, _json_accepted, _json_refused)

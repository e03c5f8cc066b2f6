"""OTLP: spans a second that one core takes, from the socket to the disk, each counted once.

As exporters of OpenTelemetry send them: 512 to a request, protobuf, packed by gzip. Not here: JSON.
"""

import gzip
import http.client
import os
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.figures import Figure
from benchmarks.service import post, service

SPANS: Final = 512
REQUESTS: Final = 40
TIMES: Final = 3
_START_NS: Final = time.time_ns() - 60 * 10**9
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def _request(number: int) -> bytes:
    """One request of spans of calls, each with the attributes that instrumentations give."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    _say(resource.resource, {"service.name": "app", "service.version": "1.2.3",
                             "telemetry.sdk.language": "python"})  # fmt: skip
    spans = resource.scope_spans.add().spans
    for at in range(SPANS):
        span = spans.add()
        span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
        span.parent_span_id = os.urandom(8)
        span.name, span.kind = "chat gpt-4o", 3
        span.start_time_unix_nano = _START_NS + number * 10**6 + at * 1000
        span.end_time_unix_nano = span.start_time_unix_nano + 800_000_000
        _say(span, {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": f"chatcmpl-{number}-{at}", "server.port": 443,
            "server.address": "api.openai.com", "gen_ai.agent.name": f"agent-{at % 10}",
            "gen_ai.conversation.id": f"conversation-{at % 50}",
            "gen_ai.usage.input_tokens": 1000 + at, "gen_ai.usage.output_tokens": 200,
            "gen_ai.usage.cache_read.input_tokens": 500,
        })  # fmt: skip
    return gzip.compress(request.SerializeToString(), 6)


def _say(holder: Any, said: dict[str, str | int]) -> None:
    for key, value in said.items():
        attribute = holder.attributes.add(key=key)
        if isinstance(value, int):
            attribute.value.int_value = value
        else:
            attribute.value.string_value = value


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _send(address: str, key: str, requests: list[bytes]) -> float:
    """Send requests one after another; the seconds it took."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    headers = {
        "Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf",
        "Content-Encoding": "gzip",
    }  # fmt: skip
    began = time.perf_counter()
    for body in requests:
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        told = answer.read()
        assert (answer.status, told) == (200, b""), (answer.status, told)
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def otlp() -> Iterator[Figure]:
    """What spans cost the service that are new, and those that come again."""
    requests = [_request(number) for number in range(REQUESTS)]
    count = SPANS * REQUESTS
    with service({"BUDGET_OTLP": "on"}) as (address, key, pid):
        daily = {"unit": "usd", "period": "daily", "limit": "1000000"}
        post(address, key, "/api/v1/budgets", {
            "name": "App", "scope": {"component": "app"}, "per": ["agent"], "policies": [daily],
        })  # fmt: skip
        _send(address, key, [_request(REQUESTS)])
        used = [cpu_seconds(pid)]
        seconds = []
        for _ in range(TIMES):
            seconds.append(_send(address, key, requests))
            used.append(cpu_seconds(pid))
        figures = post(address, key, "/api/v1/usage/summary", None, "GET")
    counted = figures["total"]["requests"] - SPANS
    assert counted == count, (counted, count)
    first, again = used[1] - used[0], (used[-1] - used[1]) / (TIMES - 1)
    yield Figure("OTLP spans/s, of the clock, one sender", count / seconds[0], "/s")
    yield Figure("OTLP spans/s that one core takes", count / first, "/s", 5000)
    yield Figure("Processor time of a span that is new", first / count * 1e6, "us")
    yield Figure("Processor time of a span that comes again", again / count * 1e6, "us")
    yield Figure(f"Spans counted of {count:,} that were sent three times", counted, "")

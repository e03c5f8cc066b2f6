"""kill -9 while spans and metrics come in by OTLP: sent again, each is counted once."""

import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.neighbours.otel.saying import CHAT, Json, attributes, counter, metrics, span, traces
from tests.support.databases import SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.results import report
from tests.support.services import Service
from tests.support.siege import verify

CYCLES = 40
SPANS = 600
LATEST_KILL_SECONDS = 0.15
ENVIRONMENT = {"BUDGET_OTLP": "on", "BUDGET_OTLP_METRICS": "on"}
START = 1_795_000_000 * 10**9
SAID = {name: value for name, value in CHAT.items() if "usage" not in name}


def of_spans(cycle: int) -> Json:
    """Spans of one token each."""
    said = {**SAID, "gen_ai.usage.input_tokens": 1}
    many = (span(at, said, trace=f"{cycle + 1:032x}") for at in range(1, SPANS + 1))
    return traces(*many, about={"service.name": "spans"})


def of_metrics(cycle: int) -> Json:
    """Twenty series that have grown by ten in each cycle."""
    points = [
        {
            "attributes": attributes({**SAID, "gen_ai.agent.name": f"a{at}"}),
            "asInt": str(10 * (cycle + 1)),
            "startTimeUnixNano": str(START),
            "timeUnixNano": str(START + cycle * 10**9),
        }
        for at in range(20)
    ]
    told = counter("gen_ai.client.inference.usage.input_tokens", points)
    return metrics(told, about={"service.name": "metrics"})


def send(service: Service, requests: dict[str, Json]) -> list[int]:
    """The statuses of the answers; none of those that did not come."""
    statuses = []
    url = f"http://127.0.0.1:{service.port}"
    headers = {"X-API-Key": service.key}
    try:
        with httpx2.Client(
            base_url=url, trust_env=False, verify=False, timeout=30, headers=headers
        ) as client:
            for path, request in requests.items():
                statuses.append(client.post(path, json=request).status_code)
    except httpx2.HTTPError:
        pass
    return statuses


def _note(service: Service, requests: dict[str, Json], told: list[int]) -> None:
    told.extend(send(service, requests))


def tokens(service: Service, component: str) -> tuple[int, int]:
    """Input tokens and requests of a component."""
    url = f"http://127.0.0.1:{service.port}/api/v1/usage/summary"
    query: Any = {"component": component}
    told = httpx2.get(url, params=query, headers={"X-API-Key": service.key}, trust_env=False)
    total = told.json()["total"]
    return total["input_tokens"], total["requests"]


@pytest.mark.faults
def test_what_is_killed_and_sent_again_counts_once(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    rng = random.Random(11)
    service = Service(nursery, folder, sqlite_databases.new(), environment=ENVIRONMENT)
    service.start()
    answered = 0
    try:
        for cycle in range(CYCLES):
            both = {"/v1/traces": of_spans(cycle), "/v1/metrics": of_metrics(cycle)}
            requests = both if cycle % 2 else dict(reversed(both.items()))
            told: list[int] = []
            sending = threading.Thread(target=_note, args=(service, requests, told))
            sending.start()
            time.sleep(rng.uniform(0, LATEST_KILL_SECONDS))
            service.kill()
            sending.join()
            answered += len(told) == len(both)
            service.start()
            if cycle % 3:  # else these metrics are lost, and the next tell of them
                assert send(service, both) == [200, 200]
            else:
                assert send(service, {"/v1/traces": both["/v1/traces"]}) == [200]
        last = {"/v1/metrics": of_metrics(CYCLES)}
        assert send(service, last) == send(service, last) == [200]
        of_all, records = tokens(service, "spans")
        grown, _ = tokens(service, "metrics")
    finally:
        service.stop()
    assert (of_all, records) == (CYCLES * SPANS, CYCLES * SPANS)
    assert grown == 20 * 10 * (CYCLES + 1)
    assert verify(service.target) == []
    report("kill -9 of the service under OTLP", cycles=CYCLES, spans=of_all, answered=answered)

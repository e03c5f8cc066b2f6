"""Bulk: usage records booked a second, a thousand in a request beside one in a request."""

import http.client
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.books import new_key
from benchmarks.figures import Figure
from benchmarks.service import service

RECORDS: Final = 1000
ROUNDS: Final = 5
SINGLES: Final = 300


class Caller:
    """One connection that stays open, with a key."""

    def __init__(self, address: str, key: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(self, path: str, body: Any) -> Any:
        """The JSON of an answer that must be a success."""
        self._connection.request("POST", f"/api/v1{path}", json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status in (200, 201), told
        return told

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _record(number: int) -> dict[str, Any]:
    return {
        "usage_id": new_key(), "provider": "openai", "model": "gpt-4o", "input_tokens": 1200,
        "output_tokens": 300, "attributes": {"org": "acme", "team": f"team-{number % 10}"},
    }  # fmt: skip


def _batches(caller: Caller) -> float:
    rates = []
    for _ in range(ROUNDS):
        records = [_record(number) for number in range(RECORDS)]
        began = time.perf_counter()
        told = caller.post("/usage/batch", {"records": records})
        rates.append(RECORDS / (time.perf_counter() - began))
        assert told["accepted"] == RECORDS, told["results"][0]
    return statistics.median(rates)


def _singles(caller: Caller) -> float:
    records = [_record(number) for number in range(SINGLES)]
    began = time.perf_counter()
    for record in records:
        caller.post("/usage", record)
    return SINGLES / (time.perf_counter() - began)


def bulk() -> Iterator[Figure]:
    """Records a second that one caller books, of which each team has a budget."""
    with service() as (address, key, _):
        caller = Caller(address, key)
        daily = {"unit": "usd", "period": "daily", "limit": "1000000"}
        caller.post(
            "/budgets", {"name": "Acme", "scope": {"org": "acme"}, "per": ["team"],
                         "policies": [daily]},
        )  # fmt: skip
        singles = [_singles(caller)]
        batches = _batches(caller)
        singles.append(_singles(caller))
        caller.close()
    single = statistics.mean(singles)
    yield Figure("Usage records/s, one caller, one in a request", single, "/s")
    yield Figure("Usage records/s, one caller, 1,000 in a request", batches, "/s")
    yield Figure("The second over the first", batches / single, "x")

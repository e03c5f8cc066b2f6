"""kill -9 while a thousand usage records are booked: sent again, each is in the books once."""

import contextlib
import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.support.databases import SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.results import report
from tests.support.services import Service
from tests.support.siege import verify

CYCLES = 3
LONG_CYCLES = 150
RECORDS = 1000
LATEST_KILL_SECONDS = 0.03
"""After the first records were committed; all take about three times as long."""


def records_of(cycle: int) -> list[dict[str, Any]]:
    """A thousand records of one token each; every other batch names them by its key alone."""
    named = [{"usage_id": f"u{cycle}.{at}"} if cycle % 2 else {} for at in range(RECORDS)]
    return [{**one, "model": "m", "input_tokens": 1, "output_tokens": 0} for one in named]


def send(service: Service, cycle: int) -> dict[str, Any] | None:
    """What a batch is answered; None where nobody answers."""
    headers = {"X-API-Key": service.key, "Idempotency-Key": f"batch-{cycle}"}
    url = f"http://127.0.0.1:{service.port}/api/v1/usage/batch"
    try:
        with httpx2.Client(trust_env=False, verify=False, timeout=30, headers=headers) as client:
            answer = client.post(url, json={"records": records_of(cycle)})
    except httpx2.HTTPError:
        return None
    told: dict[str, Any] = answer.json()
    return told


def test_a_batch_that_is_killed_and_sent_again_is_booked_once(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    target, rng = sqlite_databases.new(), random.Random(7)
    cycles = LONG_CYCLES if long_run else CYCLES
    service = Service(nursery, folder, target)
    service.start()
    partly = 0
    try:
        for cycle in range(cycles):
            sending = threading.Thread(target=send, args=(service, cycle))
            sending.start()
            wait_for_the_first(target, cycle * RECORDS, sending)
            time.sleep(rng.uniform(0, LATEST_KILL_SECONDS))
            service.kill()
            sending.join()
            service.start()
            told = send(service, cycle)
            assert told is not None
            assert (told["accepted"], told["failed"]) == (RECORDS, 0)
            before = sum(result["replayed"] for result in told["results"])
            partly += 0 < before < RECORDS
            again = send(service, cycle)
            assert again is not None
            assert sum(result["replayed"] for result in again["results"]) == RECORDS
        counted = booked(service)
    finally:
        service.stop()
    assert counted == cycles * RECORDS
    assert verify(target) == []
    report("kill -9 of the service in a batch", cycles=cycles, records=counted, partly=partly)


def wait_for_the_first(target: str, before: int, sending: threading.Thread) -> None:
    """Wait until the books hold more records than before, or nobody sends any more."""
    path = target.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as books:
        while sending.is_alive():
            (count,) = books.execute("SELECT count(*) FROM usage").fetchone()
            if count > before:
                return
            time.sleep(0.0005)


def booked(service: Service) -> int:
    """How many usage records lie in the books."""
    count, cursor = 0, None
    base = f"http://127.0.0.1:{service.port}/api/v1/usage"
    with httpx2.Client(
        trust_env=False, verify=False, timeout=30, headers={"X-API-Key": service.key}
    ) as client:
        while True:
            query = {"limit": 1000, **({"cursor": cursor} if cursor else {})}
            page = client.get(base, params=query).json()
            count += len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return count

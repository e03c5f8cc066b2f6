"""SIGTERM under load: who was being served is answered, and the service leaves with success."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.databases import Databases, SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.results import report
from tests.support.services import Service
from tests.support.siege import Besieged, assault, siege
from tests.support.workers import migrate


def strike_under_load(
    besieged: Besieged, strike: Callable[[Service], None], cycles: int
) -> tuple[int, int, float]:
    """Strike and start again; requests that were in flight, those that failed, slowest exit."""
    rng = random.Random(5)
    (service,) = besieged.services
    signals: list[float] = []
    slowest = 0.0

    def struck() -> None:
        signals.append(time.monotonic())
        strike(service)

    for cycle in range(cycles):
        assault(besieged, rng, cycle, struck)
        besieged.door.open.clear()
        slowest = max(slowest, time.monotonic() - signals[-1])
        service.start()
        besieged.look()
    met = [
        answer
        for answer in besieged.crowd.leave()
        if any(answer.sent_at < at < answer.done_at for at in signals)
    ]
    return len(met), sum(answer.status in (0, 503) for answer in met), slowest


def test_sigterm_under_load_fails_no_request_in_flight(
    databases: Databases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    cycles = 50 if long_run else 4
    statuses: list[int] = []
    with siege(nursery, folder, databases.new(migrate), clients=8) as besieged:
        in_flight, failed, slowest = strike_under_load(
            besieged, lambda service: statuses.append(service.terminate()), cycles
        )
        besieged.report(
            f"SIGTERM under load, {databases.engine}",
            cycles=cycles, in_flight=in_flight, failed=failed, slowest_exit=slowest,
        )  # fmt: skip
    assert statuses == [0] * cycles
    assert failed == 0
    assert in_flight > 0
    assert besieged.harm == []


def test_without_draining_requests_in_flight_fail(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    with siege(nursery, folder, sqlite_databases.new(migrate), clients=8) as besieged:
        in_flight, failed, _ = strike_under_load(besieged, Service.kill, 4)
    report("control: no draining", cycles=4, in_flight=in_flight, failed=failed)
    assert failed > 0

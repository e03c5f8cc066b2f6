"""SIGTERM under load: who was being served is answered, and the service leaves with success."""

import random
import time
from pathlib import Path

from tests.support.databases import Databases
from tests.support.nursery import Nursery
from tests.support.siege import assault, siege
from tests.support.workers import migrate


def test_sigterm_under_load_fails_no_request_in_flight(
    databases: Databases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    cycles = 50 if long_run else 4
    url = databases.new(migrate)
    rng = random.Random(5)
    in_flight = failed = 0
    statuses = []
    slowest = 0.0
    signals: list[float] = []
    with siege(nursery, folder, url, clients=8) as besieged:
        (service,) = besieged.services

        def strike() -> None:
            signals.append(time.monotonic())
            statuses.append(service.terminate())

        for cycle in range(cycles):
            assault(besieged, rng, cycle, strike)
            besieged.door.open.clear()
            slowest = max(slowest, time.monotonic() - signals[-1])
            service.start()
            besieged.look()
        for answer in besieged.crowd.leave():
            if any(answer.sent_at < at < answer.done_at for at in signals):
                in_flight += 1
                failed += answer.status in (0, 503)
        besieged.report(
            f"SIGTERM under load, {databases.engine}",
            cycles=cycles, in_flight=in_flight, failed=failed, slowest_exit=slowest,
        )  # fmt: skip
    assert statuses == [0] * cycles
    assert failed == 0
    assert in_flight > 0
    assert besieged.harm == []
    assert slowest < 5

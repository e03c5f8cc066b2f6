"""Two services write one SQLite file while others open, read and close it: slow, but nothing lost.

The log is folded into the file many times over meanwhile, under the lock: the race that SQLite had
up to 3.51.2 between one connection's checkpoint and another's write is what this would show.
"""

import random
import threading
import time
from pathlib import Path

from tests.support.databases import SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.siege import Besieged, assault, siege, verify


class Visitors:
    """Open the books, verify them and close them, over and over, beside the services."""

    def __init__(self, besieged: Besieged) -> None:
        self.visits = 0
        self._besieged = besieged
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._leaving.is_set():
            self._besieged.wrong += verify(self._besieged.url)
            self.visits += 1

    def leave(self) -> None:
        """Finish the visit."""
        self._leaving.set()
        self._thread.join()


def test_two_services_killed_and_stopped_in_turn_on_one_file_lose_nothing(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    cycles = 100 if long_run else 6
    url = sqlite_databases.new()
    rng = random.Random(9)
    with siege(nursery, folder, url, services=2, sabotage="fold often") as besieged:
        visitors = Visitors(besieged)
        try:
            for cycle in range(cycles):
                victim = besieged.services[cycle % 2]
                if cycle % 3 == 2:
                    assault(besieged, rng, cycle, victim.pause)
                    time.sleep(rng.uniform(0.05, 0.3))
                    victim.resume()
                    continue
                assault(besieged, rng, cycle, victim.kill)
                time.sleep(0.1)
                besieged.door.open.clear()
                victim.start()
                besieged.look()
                assert besieged.harm == [], f"after kill {cycle}"
        finally:
            visitors.leave()
        tally = besieged.report(
            "two services on one SQLite file", cycles=cycles, visits=visitors.visits
        )
    assert besieged.harm == []
    assert tally.unknown > 0
    assert tally.acked > 10 * cycles
    assert visitors.visits >= cycles

"""A siege: a crowd spends through services that are killed under it, and the books are held against
the recorder's logs after each assault.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.load import Crowd, Door
from tests.support.nursery import Nursery
from tests.support.oracle import (
    Comparison,
    Limits,
    Tally,
    admitted_beyond,
    misposted,
    postings,
    read_books,
)
from tests.support.recorder import Recorder
from tests.support.results import report
from tests.support.services import Service

HOLD_NANOS = 1_250_000
"""The most that one call of the crowd holds: 100 tokens in at 2.50, 100 out at 10 USD a million."""

# A limit is hard unless it says otherwise. Each session has room for about 20 calls and is
# contested by a few hundred; the teams see them all.
BUDGETS: list[dict[str, Any]] = [
    {
        "name": "session",
        "scope": {"org": "acme"},
        "policies": [
            {"unit": "usd", "period": "per_session", "limit": "0.012"},
            {"unit": "tokens", "period": "per_session", "limit": 4_000},
        ],
    },
    {
        "name": "team",
        "scope": {"org": "acme"},
        "per": ["team"],
        "policies": [
            {"unit": "usd", "period": "total", "limit": 1000},
            {"unit": "requests", "period": "daily", "limit": 10**6, "enforcement": "warn"},
        ],
    },
]


@dataclass
class Besieged:
    """The books, who serves them, and who spends."""

    url: str
    services: Sequence[Service]
    door: Door
    crowd: Crowd
    recorder: Recorder
    limits: Limits
    comparison: Comparison = field(default_factory=Comparison)
    over: int = 0
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def served_since(self, moment: float) -> bool:
        """Whether all clients have since been told more than that the service is unavailable."""
        last = [client.answers[-1] for client in self.crowd.clients if client.answers]
        return all(answer.sent_at > moment and answer.status not in (0, 503) for answer in last)

    def report(self, test: str, **figures: object) -> Tally:
        """Let everybody finish, hold the books against it all, and print the result's one line."""
        self.crowd.leave()
        tally = self.look()
        self.wrong += verify(self.url)
        report(
            test, **figures, sent=tally.sent, acked=tally.acked, refused=tally.refused,
            unknown=tally.unknown, unavailable=tally.unavailable, lost=tally.lost,
            phantom=tally.phantom, over=self.over, dup=tally.dup,
            seconds=time.monotonic() - self.began,
        )  # fmt: skip
        return tally

    @property
    def harm(self) -> list[str]:
        """Everything that should not have been found."""
        return [*self.wrong, *([f"{self.over} admissions beyond a limit"] if self.over else [])]

    def look(self) -> Tally:
        """Hold the books as they are against everything recorded so far."""
        self.comparison.add(self.recorder.read())
        books = read_books(self.url)
        posted = postings(books)
        self.over = admitted_beyond(books, self.limits, posted)
        self.wrong += misposted(books, posted)
        tally = self.comparison.with_books(books)
        self.wrong += tally.findings
        return tally


@contextlib.contextmanager
def siege(
    nursery: Nursery,
    folder: Path,
    url: str,
    *,
    services: int = 1,
    clients: int = 6,
    sabotage: str | None = None,
    seed: int = 0,
) -> Iterator[Besieged]:
    """Start services and a crowd that waits at the door; all are gone at the end."""
    started = [Service(nursery, folder, url, sabotage=sabotage) for _ in range(services)]
    recorder = Recorder(folder / "recorder")
    crowd: Crowd | None = None
    try:
        for service in started:
            service.start()
        limits = create_budgets(url)
        door = Door([service.port for service in started], started[0].key)
        crowd = Crowd(clients, door, recorder, seed=seed)
        yield Besieged(url, started, door, crowd, recorder, limits)
    finally:
        if crowd is not None:
            crowd.give_up()
        for service in started:
            service.stop()
        recorder.close()


def create_budgets(url: str) -> dict[str, int]:
    """The budgets of a siege, made through the facade beside the service."""
    from budget.engine.budget import Budget
    from tests.support.races import create_budgets as create

    with Budget.open(url, sweep=False) as budget:
        limits = create(budget, BUDGETS)
        hard = {p.policy_id for b in budget.budgets().items for p in b.policies if p.hard}
    return {policy_id: limit for policy_id, limit in limits.items() if policy_id in hard}


def verify(url: str) -> list[str]:
    """What `budget verify` finds wrong, asked beside the service."""
    from budget.engine.verify import verify as verify_books
    from budget.storage.database import open_database

    database = open_database(url)
    try:
        return [str(violation) for violation in verify_books(database).violations]
    finally:
        database.close()


def assault(
    besieged: Besieged, rng: random.Random, number: int, strike: Callable[[], None]
) -> None:
    """Let the crowd in for a random while, then strike while all are in the middle of something."""
    besieged.door.session = f"s{number}"
    besieged.door.open.set()
    time.sleep(rng.uniform(0.05, 0.35))
    strike()

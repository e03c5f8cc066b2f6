"""Channels beside the ledger: what they cost the hot path, and how fast they tell."""

import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

from benchmarks.books import prices
from benchmarks.figures import Figure
from benchmarks.ledger import prepared, sqlite_url, throughput
from budget.engine.books import Books
from budget.engine.budget import Budget
from budget.engine.channels.notifier import Notifier
from budget.engine.channels.settings import ChannelSettings
from budget.http.serve import SWITCH_SECONDS
from tests.support.receivers import receiving

ROUNDS = 5
SECONDS = 4
TOLD = 1_000


def channels() -> Iterator[Figure]:
    """The figures of channels."""
    with receiving() as receiver, sqlite_url() as url:
        prepared(url)
        settings = ChannelSettings(frozenset({receiver.origin}))
        books = Books.open(url, prices=prices(), channel_settings=settings)
        with Budget(books) as budget:
            # One that hears of alerts, as most do: it looks at every event, and wants few.
            budget.create_channel(name="alerts", kind="webhook", url=receiver.url)
            ratios, shares = [], []
            for _ in range(ROUNDS):
                without = throughput(url, seconds=SECONDS)
                with closing(Notifier(books).start()):
                    ratios.append(throughput(url, seconds=SECONDS) / without)
                    shares.append(_cpu_seconds() / SECONDS)
            yield Figure(
                "channels: commands/s with a notifier to those without",
                statistics.median(ratios), "", 0.85,
            )  # fmt: skip
            yield Figure(
                "channels: share of a core that looking takes meanwhile",
                statistics.median(shares), "", 0.15, at_least=False,
            )  # fmt: skip
            yield _told(budget, receiver.url, lambda: len(receiver.received))


def _cpu_seconds() -> float:
    """What the thread that looks has used of a core."""
    (ident,) = [
        thread.ident for thread in threading.enumerate() if thread.name == "budget-notifier"
    ]
    assert ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(ident))


def _told(budget: Budget, url: str, received: object) -> Figure:
    """Deliveries a second to one receiver that answers at once, in this same process."""
    assert callable(received)
    channel = budget.create_channel(
        name="all", kind="webhook", url=url, wanted={"topics": ["allocation_updates"]}
    )
    for _ in range(TOLD):
        budget.allocate(requests=1)
    before = received()
    sys.setswitchinterval(SWITCH_SECONDS)  # as the service does
    since = time.perf_counter()
    with closing(Notifier(budget.books).start()):
        while received() < before + TOLD:
            time.sleep(0.01)
        seconds = time.perf_counter() - since
    budget.archive_channel(channel.channel_id)
    return Figure("channels: deliveries/s to one receiver", TOLD / seconds, "/s")

"""kill -9 of the service while events and alerts flow to a receiver: none is lost.

What came twice came with the same `webhook-id`, by which a receiver knows it. Leases last a second
here, not twenty, so that nobody waits long for what a killed sender had taken.
"""

import contextlib
import http.client
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import Webhook

from budget.engine.channels import topics
from tests.support import services
from tests.support.databases import Databases, SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.receivers import Received, Receiver, receiving
from tests.support.results import report
from tests.support.services import Service

KILLS: Final = 5
LONG_KILLS: Final = 200
LEASE_SECONDS: Final = 1.0
TOPICS: Final = ("budget_events", "allocation_updates", "budget_alerts")
KINDS: Final = frozenset().union(*(topics.TOPICS[topic] for topic in TOPICS))


def serve(port: int, target: str) -> None:
    """The service with a notifier that looks often and whose leases are short."""
    from budget.engine.channels.notifier import Notifier

    defaults = Notifier.__init__.__kwdefaults__
    assert defaults is not None
    defaults.update(every_seconds=0.02, lease_seconds=LEASE_SECONDS)
    services.serve(port, target)


class Flow:
    """Calls that make events and alerts, one after the other, as long as it is open."""

    def __init__(self, service: Service, key: str) -> None:
        self._service = service
        self._headers = {"X-API-Key": key, "Content-Type": "application/json"}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.calls = 0

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request that must succeed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, f"/api/v1{path}", json.dumps(body), self._headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            assert answer.status < 300, told
            return told

    def _run(self) -> None:
        while not self._stopped.is_set():
            body = {"attributes": {"user": f"u{self.calls}"}, "requests": 1}
            # The service is killed under it: then the next call is the next try.
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.ask("POST", "/usage", body)
                self.calls += 1
            self._stopped.wait(0.002)

    def __enter__(self) -> "Flow":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()


def journal(flow: Flow) -> dict[str, str]:
    """The kinds of the events that the channel wants, by their cursors."""
    found: dict[str, str] = {}
    after = ""
    while True:
        page = flow.ask("GET", f"/events?limit=1000{after}")
        if not page["items"]:
            return found
        found |= {e["cursor"]: e["kind"] for e in page["items"] if e["kind"] in KINDS}
        after = f"&after={page['next_cursor']}"


@contextlib.contextmanager
def told(
    nursery: Nursery, folder: Path, url: str, receiver: Receiver, sabotage: str | None = None
) -> Iterator[tuple[Service, Flow, str]]:
    """A service with a channel to the receiver, calls that flow, and the channel's secret."""
    service = Service(
        nursery, folder, url, sabotage=sabotage,
        environment={"BUDGET_WEBHOOK_ORIGINS": receiver.origin},
        function="tests.faults.test_kill_webhooks:serve",
    )  # fmt: skip
    try:
        service.start()
        flow = Flow(service, service.key)
        wanted = {"topics": TOPICS}
        channel = flow.ask(
            "POST", "/channels",
            {"name": "x", "kind": "webhook", "url": receiver.url, "wanted": wanted},
        )  # fmt: skip
        policy = {"unit": "requests", "period": "daily", "limit": 1, "enforcement": "warn"}
        flow.ask("POST", "/budgets", {"name": "x", "per": ["user"], "policies": [policy]})
        yield service, flow, channel["secret"]
    finally:
        service.stop()


def kill_again_and_again(service: Service, rng: random.Random, kills: int) -> None:
    for _ in range(kills):
        time.sleep(rng.uniform(0.02, 0.25))  # the instant of the kill is what varies
        service.kill()
        service.start()


def lost_of(flow: Flow, receiver: Receiver, seconds: float) -> set[str]:
    """The events that have not come, once nothing more can be expected within these seconds."""
    left = set(journal(flow))
    looked_at = 0
    ends_at = time.monotonic() + seconds
    with receiver.came:
        while left and time.monotonic() < ends_at:
            came = receiver.received[looked_at:]
            looked_at += len(came)
            left -= {request.told["data"]["cursor"] for request in came}
            if left:
                receiver.came.wait(ends_at - time.monotonic())
    return left


def test_no_event_is_lost_when_the_service_is_killed(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    kill_and_count(sqlite_databases.new(), nursery, folder, KILLS)


@pytest.mark.faults
def test_no_event_is_lost_when_the_service_is_killed_two_hundred_times(
    databases: Databases, nursery: Nursery, folder: Path
) -> None:
    kill_and_count(databases.new(), nursery, folder, LONG_KILLS)


def kill_and_count(url: str, nursery: Nursery, folder: Path, kills: int) -> None:
    """Kill the service so often; every event must have come, signed, under one id."""
    with receiving() as receiver, told(nursery, folder, url, receiver) as (service, flow, secret):
        with flow:
            kill_again_and_again(service, random.Random(200), kills)
        assert lost_of(flow, receiver, 60) == set()
        kinds = journal(flow)
    check(receiver.received, secret)
    times = count(receiver.received)
    engine = url.partition(":")[0]
    report(
        f"kill -9 of the service while webhooks are sent, {engine}", kills=kills, calls=flow.calls,
        events=len(kinds), alerts=sum(kind == "alert_raised" for kind in kinds.values()),
        requests=len(receiver.received), twice=sum(n > 1 for n in times.values()),
    )  # fmt: skip
    assert set(times) == set(kinds)
    assert "alert_raised" in kinds.values()
    assert len(kinds) > 4 * kills


def check(received: list[Received], secret: str) -> None:
    """Each event has one id, whose body is the same every time, and all are signed."""
    ids: defaultdict[str, set[tuple[str, bytes]]] = defaultdict(set)
    verifier = Webhook(secret)
    for request in received:
        ids[request.told["data"]["cursor"]].add((request.id, request.body))
        verifier.verify(request.body, request.headers)
    assert all(len(one) == 1 for one in ids.values())
    assert len({id for one in ids.values() for id, _ in one}) == len(ids)


def count(received: list[Received]) -> dict[str, int]:
    """How often each event came."""
    times: defaultdict[str, int] = defaultdict(int)
    for request in received:
        times[request.told["data"]["cursor"]] += 1
    return dict(times)


def test_a_service_that_moves_on_before_it_has_noted_what_to_send_is_found_out(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    rng = random.Random(1)
    lost: set[str] = set()
    kills = 0
    with (
        receiving() as receiver,
        told(
            nursery, folder, sqlite_databases.new(), receiver, "forget what to send"
        ) as (service, flow, _),
    ):  # fmt: skip
        while not lost and kills < 20:
            with flow_again(flow):
                kill_again_and_again(service, rng, 1)
            kills += 1
            lost = lost_of(flow, receiver, 2 * LEASE_SECONDS)
    report("control: the place before the deliveries", kills=kills, lost=len(lost))
    assert lost


@contextlib.contextmanager
def flow_again(flow: Flow) -> Iterator[None]:
    """The same calls, once more."""
    with Flow(flow._service, flow._headers["X-API-Key"]) as again:
        again.calls = flow.calls
        yield
    flow.calls = again.calls + 1

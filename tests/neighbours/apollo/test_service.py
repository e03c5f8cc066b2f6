"""A service beside Apollo: it holds and books whatever Apollo does, tells it of all of that, and
shows what it sees.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from budget.engine import keys
from tests.fakes.tekton.apollo import FakeApollo, context
from tests.fakes.tekton.component import BROKEN, GARBAGE, Asked, Component
from tests.fakes.tekton.component import running as component_running
from tests.http.running import Running, migrate, running
from tests.support.databases import SqliteDatabases


def eventually(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def fake() -> FakeApollo:
    return FakeApollo()


@pytest.fixture
def component(fake: FakeApollo) -> Iterator[Component]:
    with component_running(fake.component()) as one:
        yield one


@pytest.fixture
def beside(
    component: Component, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Running]:
    """A service that is in touch with Apollo."""
    monkeypatch.setattr("budget.neighbours.apollo.telling.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("budget.neighbours.neighbour.Neighbour.most_pause_seconds", 0.05)
    env = {"APOLLO_API_URL": f"{component.url}/", "BUDGET_APOLLO_POLL_SECONDS": "1"}
    with running(sqlite_databases.new(migrate), env=env) as service:
        eventually(lambda: "messages_told" in facts(service))
        yield service


def apollo(service: Running) -> dict[str, Any]:
    items = service.get("/neighbours")["items"]
    return next(one for one in items if one["name"] == "apollo")


def facts(service: Running) -> dict[str, str]:
    """What is told of Apollo; a call is made, so that there is something to tell."""
    works(service, "first")
    told: dict[str, str] = apollo(service)["facts"]
    return told


def works(service: Running, name: str) -> None:
    """A call of a context is held and settled."""
    ask = {"context_id": name, "component": "rhetor", "task_type": "chat"}
    held = service.post("/allocations", ask)
    used = {"model": "m", "input_tokens": 100}
    service.post(f"/allocations/{held['allocation_id']}/usage", used)


def _is_about_refused(asked: Asked) -> bool:
    return asked.path == "/api/messages" and asked.body["context_id"] == "refused"


def failing(service: Running) -> bool:
    return bool(apollo(service)["state"] == "failing")


def test_it_serves_through_all_that_apollo_does_and_tells_of_all_of_it(
    beside: Running, component: Component, fake: FakeApollo
) -> None:
    component.stop()
    works(beside, "down")
    eventually(lambda: failing(beside))
    component.start()
    for name, fault in (("broken", BROKEN), ("garbage", GARBAGE)):
        component.fault = fault
        works(beside, name)
        eventually(lambda: failing(beside))
        component.fault = None
        eventually(lambda: apollo(beside)["state"] == "working")
    component.cut = True
    works(beside, "cut")
    eventually(lambda: failing(beside))
    component.cut = False
    component.hold = threading.Event()
    works(beside, "hanging")
    assert beside.client.get("/health").json()["neighbours"]["apollo"] is not None
    component.hold.set()
    component.hold = None
    expected = {"down", "broken", "garbage", "cut", "hanging"}
    eventually(lambda: expected <= {one["context_id"] for one in fake.of_type("budget.allocated")})
    component.stop()
    fake.forget()  # it restarts, and has forgotten all
    works(beside, "restarted")
    component.start()
    wanted = {("budget.allocated", "restarted"), ("budget.updated", "restarted")}
    eventually(lambda: wanted <= {(one["type"], one["context_id"]) for one in fake.messages})
    assert beside.get("/contexts/restarted")["used_tokens"] == 100


def test_an_error_in_an_answer_of_200_is_told(
    beside: Running, component: Component, fake: FakeApollo
) -> None:
    fake.refuses = {"budget.allocated", "budget.updated"}
    works(beside, "refused")
    # Each of both messages three times.
    eventually(lambda: sum(map(_is_about_refused, list(component.asked))) == 6)
    eventually(lambda: "no handler" in (apollo(beside)["last_error"] or ""))
    assert int(apollo(beside)["facts"]["messages_passed_over"]) >= 1
    fake.refuses = set()
    works(beside, "taken")
    eventually(lambda: "taken" in {one["context_id"] for one in fake.messages})
    assert "refused" not in {one["context_id"] for one in fake.messages}


def test_what_apollo_sees_is_shown_beside_the_books(
    beside: Running, component: Component, fake: FakeApollo
) -> None:
    assert beside.get("/contexts/first")["apollo"] is None
    used = {"total_tokens": 3000, "max_tokens": 4000, "token_utilization": 0.75}
    fake.contexts = [context("first", metrics=used, health="fair", health_score=0.5)]
    fake.predictions = [{"context_id": "first", "predicted_health": "poor", "confidence": 0.9}]
    eventually(lambda: bool(beside.get("/neighbours/apollo")["contexts"]))
    told = beside.get("/contexts/first")
    assert (told["apollo"]["token_utilization"], told["apollo"]["health"]) == ("0.75", "fair")
    assert [(one["health"], one["confidence"]) for one in told["predictions"]] == [("poor", "0.9")]
    everything = beside.get("/neighbours/apollo")
    assert everything["read_at"] is not None
    assert everything["contexts"][0]["health_score"] == "0.5"
    assert everything["predictions"] == told["predictions"]
    assert apollo(beside)["facts"]["contexts"] == "1"
    # Who is bound is told of its own calls alone: no word of Apollo's, of whom it is not known.
    bound = keys.make_key()
    keys.add_key(beside.books, bound, name="bound", scopes="read", bound={"component": "rhetor"})
    answer = beside.client.get("/api/v1/contexts/first", headers={"X-API-Key": bound.text})
    assert (answer.json()["apollo"], answer.json()["predictions"]) == (None, [])

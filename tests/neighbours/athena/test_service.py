"""A service beside Athena: it holds and books whatever Athena does, and says how that goes."""

import threading
import time
from collections.abc import Callable

import pytest

from budget.cli.app import run
from budget.neighbours.athena import athena as neighbour
from tests.fakes.tekton.athena import athena
from tests.fakes.tekton.component import BROKEN, GARBAGE
from tests.fakes.tekton.component import running as component_running
from tests.http.running import Running, migrate, running
from tests.support.databases import SqliteDatabases

WARN = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}


def eventually(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def works(service: Running) -> None:
    """A call is held and settled."""
    held = service.post("/allocations", {"usd": "0.01", "attributes": {"component": "ranker"}})
    used = {"model": "m", "input_tokens": 100}
    service.post(f"/allocations/{held['allocation_id']}/usage", used)


def state(service: Running) -> str:
    (one,) = (one for one in service.get("/neighbours")["items"] if one["name"] == "athena")
    told: str = one["state"]
    return told


def test_it_serves_through_all_that_athena_does_and_then_is_in_step(
    sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr("budget.neighbours.neighbour.Neighbour.most_pause_seconds", 0.1)
    component, graph = athena()
    with component_running(component):
        component.stop()
        env = {"BUDGET_ATHENA_URL": component.url}
        with running(sqlite_databases.new(migrate), env=env) as service:
            service.budget(WARN)
            works(service)
            eventually(lambda: state(service) == "failing")
            component.start()
            eventually(lambda: state(service) == "working")
            for fault in (BROKEN, GARBAGE, lambda _: (200, {"error": "no graph"})):
                component.fault = fault
                eventually(lambda: state(service) == "failing")
                works(service)
                component.fault = None
                eventually(lambda: state(service) == "working")
            component.cut = True
            eventually(lambda: state(service) == "failing")
            works(service)
            component.cut = False
            component.hold = threading.Event()
            service.budget(WARN, name="While it hangs")
            works(service)
            assert service.client.get("/health").json()["neighbours"]["athena"] is not None
            component.hold.set()
            component.hold = None
            graph.disk = ({}, {})
            component.stop()
            graph.forget()
            works(service)
            component.start()
            eventually(lambda: len(graph.of("budget")) == len(graph.of("policy")) == 2)
            eventually(lambda: state(service) == "working")
    assert len(graph.of("budget")) == 2


def test_an_alert_is_explained_by_the_books_and_by_the_graph(
    sqlite_databases: SqliteDatabases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(neighbour, "GATHER_SECONDS", 0.0)
    component, graph = athena()
    with component_running(component):
        env = {"BUDGET_ATHENA_URL": component.url}
        with running(sqlite_databases.new(migrate), env=env) as service:
            service.budget(WARN, per=["team"])
            used = {"model": "m", "input_tokens": 360_000, "attributes": {
                "component": "ranker", "team": "a"}}  # 0.90 USD  # fmt: skip
            service.post("/usage/record", used)
            (alert,) = service.get("/alerts", kind="warning")["items"]
            path = f"/alerts/{alert['alert_id']}/explain"
            eventually(lambda: len(graph.links("explains")) == 2)
            told = service.get(path)
            assert told["by"]["component"] == [
                {"value": "ranker", "amount": "0.90", "share": "1", "requests": 1, "cost": "0.90"}
            ]
            assert (told["graph"]["source"], told["graph"]["agrees"]) == ("athena", True)
            assert [one["entity_type"] for one in told["graph"]["path"]] == [
                "alert", "policy", "budget", "component", "model",
            ]  # fmt: skip
            monkeypatch.setenv("BUDGET_TARGET", service.url)
            monkeypatch.setenv("BUDGET_KEY", service.key)
            assert run(["explain", alert["alert_id"]]) == 0
            said = capsys.readouterr().out
            assert ["component", "ranker", "0.90", "100.00%"] in [
                line.split()[:4] for line in said.splitlines()
            ]
            assert said.endswith("The graph of athena leads to the same.\n")
            bound = service.post("/keys", {"name": "a", "scopes": ["read"], "bound": {"team": "a"}})
            asked = service.client.get(f"/api/v1{path}", headers={"X-API-Key": bound["key"]})
            assert asked.json()["graph"] is None
            component.stop()
            told = service.get(path)
            assert told["graph"]["agrees"] is False
            assert told["graph"]["note"].startswith("athena ")
            assert told["by"]["component"][0]["amount"] == "0.90"
            run(["explain", alert["alert_id"]])
            assert "The graph of athena does not lead there: athena " in capsys.readouterr().out

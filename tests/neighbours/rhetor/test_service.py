"""A service beside Rhetor: it serves whatever Rhetor does, and chooses within budgets."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates
from budget.domain.windows import to_rfc3339
from budget.engine.budget import Budget
from budget.engine.importing.booking import book
from budget.engine.importing.lines import Line
from budget.neighbours.known import Setup
from budget.neighbours.rhetor import rhetor as neighbour
from budget.prices.book import PriceBook
from budget.prices.bundled import bundled_prices
from tests.fakes.tekton import component
from tests.fakes.tekton.rhetor import Rhetor
from tests.http.running import Running, migrate, running
from tests.support.databases import SqliteDatabases

MILLION: Final = 10**6
PRICES: Final = PriceBook(
    None,
    {
        ("openai", "gpt-4o"): Rates(2_500_000, 10_000_000),
        ("openai", "gpt-4o-mini"): Rates(150_000, 600_000),
        ("anthropic", "claude-opus-4-1-20250805"): Rates(15_000_000, 75_000_000),
        ("ollama", "llama3.3:70b"): Rates(0, 0),
    },
)
REASONING: Final = {
    "component": "telos", "capability": "reasoning", "input_tokens": 1_000,
    "max_output_tokens": 1_000,
}  # fmt: skip
"""For telos Rhetor chooses gpt-4o: 0.0025 + 0.01 = 0.0125 USD."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour, "read_poll_seconds", lambda _: 0.02)
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr("budget.neighbours.neighbour.Neighbour.most_pause_seconds", 0.1)


@pytest.fixture
def rhetor() -> Iterator[Rhetor]:
    """One that runs."""
    with component.running(Rhetor()) as started:
        assert isinstance(started, Rhetor)
        yield started


@pytest.fixture
def service(rhetor: Rhetor, sqlite_databases: SqliteDatabases) -> Iterator[Running]:
    """A service that is in touch with it."""
    env = {"BUDGET_RHETOR_URL": rhetor.url}
    with running(sqlite_databases.new(migrate), prices=PRICES, env=env) as started:
        yield started


def eventually(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def told(service: Running) -> dict[str, Any]:
    """What is told of Rhetor."""
    items = service.get("/neighbours")["items"]
    return next(one for one in items if one["name"] == "rhetor")


def select(service: Running, status: int = 200, **ask: Any) -> Any:
    """What to call."""
    return service.post("/neighbours/rhetor/select", {**REASONING, **ask}, status=status)


def limit(service: Running, usd: str, **scope: str) -> None:
    """A hard limit a day."""
    policy = {"unit": "usd", "period": "daily", "limit": usd, "enforcement": "hard_limit"}
    service.post("/budgets", {"name": "Team", "scope": scope, "policies": [policy]}, status=201)


def works(service: Running) -> None:
    """A call is held and settled."""
    held = service.post("/allocations", {"tokens": 5})
    path = f"/allocations/{held['allocation_id']}/usage"
    service.post(path, {"input_tokens": 3, "output_tokens": 1, "final": True})


def test_it_serves_through_all_that_rhetor_does(service: Running, rhetor: Rhetor) -> None:
    eventually(lambda: told(service)["state"] == "working")
    assert told(service)["facts"]["models"] == "24"
    for fault in (component.BROKEN, component.GARBAGE, lambda _: (200, {"error": "no models"})):
        rhetor.fault = fault
        eventually(lambda: told(service)["state"] == "failing")
        works(service)
        assert select(service, status=503)["code"] == "neighbour_failed"
        rhetor.fault = None
        eventually(lambda: told(service)["state"] == "working")
    rhetor.cut = True
    eventually(lambda: told(service)["state"] == "failing")
    works(service)
    rhetor.cut = False
    rhetor.hold = threading.Event()
    works(service)
    rhetor.hold.set()
    rhetor.hold = None
    rhetor.stop()
    eventually(lambda: "could not be reached" in told(service)["last_error"])
    works(service)
    assert select(service, status=503)["code"] == "neighbour_failed"
    # What was read before is told still.
    assert service.get("/neighbours/rhetor/models")["total"] == 24
    rhetor.start()
    eventually(lambda: told(service)["state"] == "working")


def test_a_choice_that_fails_is_noted_and_one_that_goes_well_again(
    rhetor: Rhetor, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour, "read_poll_seconds", lambda _: 3_600)
    env = {"BUDGET_RHETOR_URL": rhetor.url}
    with running(sqlite_databases.new(migrate), prices=PRICES, env=env) as service:
        eventually(lambda: told(service)["state"] == "working")
        rhetor.cut = True
        assert select(service, status=503)["code"] == "neighbour_failed"
        assert told(service)["state"] == "failing"
        assert told(service)["last_error"].startswith("rhetor broke off")
        rhetor.cut = False
        # That there is no such model says nothing of how it goes.
        select(service, status=404, capability="vision")
        assert told(service)["state"] == "failing"
        select(service)
        assert told(service)["state"] == "working"


def test_models_are_told_with_their_prices(service: Running) -> None:
    told_of = service.get("/neighbours/rhetor/models")
    assert (told_of["total"], told_of["providers"]["ollama"]) == (24, 9)
    assert len(told_of["unpriced"]) == 20
    assert told_of["assignments"]["penia"] == {"chat": "gpt-3.5-turbo"}
    assert told_of["assignments"]["defaults"]["chat"] == "claude-3-5-haiku-20241022"
    (llama,) = (one for one in told_of["items"] if one["model"] == "llama3.3:70b")
    assert (llama["priced"], llama["free"], llama["input_price"]) == (True, True, "0.00")
    (opus,) = (one for one in told_of["items"] if one["model"].startswith("claude-opus-4-1"))
    assert (opus["input_price"], opus["output_price"]) == ("15.00", "75.00")
    assert opus["context_window"] == 200_000


def test_what_rhetor_would_take_is_called_where_there_is_room(service: Running) -> None:
    limit(service, "1")
    told_of = select(service)
    assert told_of["selected"]["model_id"] == "gpt-4o"
    routing = told_of["routing"]
    assert (routing["allowed"], routing["model"], routing["is_downgraded"]) == (
        True, "gpt-4o", False,
    )  # fmt: skip
    assert routing["estimated_cost"] == "0.0125"


def test_where_there_is_none_another_of_rhetors_is_called_and_else_none(service: Running) -> None:
    limit(service, "0.01", component="telos")
    chat: Any = {"capability": "chat", "component": "telos"}
    # Of those with a price only llama3.3 has `reasoning` and costs less.
    assert select(service)["routing"]["model"] == "llama3.3:70b"
    policy = {"unit": "tokens", "period": "daily", "limit": 0, "enforcement": "hard_limit"}
    service.post(
        "/budgets",
        {"name": "No Ollama", "scope": {"provider": "ollama"}, "policies": [policy]},
        status=201,
    )
    routing = select(service)["routing"]
    assert (routing["allowed"], routing["model"], routing["provider"]) == (False, None, None)
    assert routing["original_model"] == "gpt-4o"
    assert routing["refusal"]["budget"] == "Team"
    # For chat Rhetor takes a model that has no price here, which a limit in money refuses.
    routing = select(service, **chat)["routing"]
    assert (routing["reason"], routing["model"]) == ("unpriced", "gpt-4o-mini")
    assert service.get("/status", component="telos")["balances"][0]["reserved"] == "0.00"


def test_what_is_wrong_with_the_ask_names_its_field(service: Running, rhetor: Rhetor) -> None:
    for ask, field in (
        ({"component": None}, "component"),
        ({"capability": "dance"}, "capability"),
        ({"input_tokens": None}, "input_tokens"),
        ({"model": "gpt-4o"}, "model"),
        ({"requirements": [1]}, "requirements"),
    ):
        assert select(service, status=422, **ask)["field"] == field
    assert select(service, status=404, capability="vision")["code"] == "not_found"
    select(service, requirements={"min_context": 1_000})
    assert rhetor.asked[-1].body is None or "requirements" in str(
        [one.body for one in rhetor.asked if one.path.endswith("/select")][-1]
    )


def test_what_rhetor_says_it_spent_is_held_against_what_was_imported(
    service: Running, rhetor: Rhetor
) -> None:
    rhetor.rows = [("anthropic", "claude-opus-4-1-20250805", 1_000, 500, 0.0525)]
    eventually(lambda: told(service)["facts"].get("drift") == "0.0525 USD, 1,500 tokens")
    now_us = time.time_ns() // 1000
    line = Line(
        "row 1", "1", now_us, "anthropic", "claude-opus-4-1-20250805", 1_000, 500,
        cost_nanos=52_500_000, attributes={"tag.source": "rhetor", "component": "telos"},
    )  # fmt: skip
    done = book([line], Budget(service.books).record_bulk, "rhetor", lambda *_: None, 1)
    assert done.booked == 1, to_rfc3339(now_us)
    # 0.015 + 0.0375 = 0.0525 USD
    eventually(lambda: told(service)["facts"]["drift"] == "none")
    facts = told(service)["facts"]
    assert facts["usage_today"] == facts["imported_today"] == "0.0525 USD, 1,500 tokens"


@pytest.mark.parametrize(
    "usage",
    [
        [], {"total_cost": -1.0}, {"total_cost": "much"}, {"total_cost": 1e300},
        {"total_cost": 0.1, "total_tokens": 1.5},
    ],
)  # fmt: skip
def test_figures_that_cannot_be_leave_the_models_as_they_are(
    service: Running, rhetor: Rhetor, usage: Any
) -> None:
    def answer(asked: component.Asked) -> component.Told:
        return (200, usage) if asked.path.endswith("/usage") else rhetor.answer(asked)

    rhetor.fault = answer
    eventually(lambda: told(service)["facts"].get("usage_today", "").startswith("rhetor "))
    assert told(service)["state"] == "working"
    assert "drift" not in told(service)["facts"]


def test_without_a_setting_it_is_off(sqlite_databases: SqliteDatabases) -> None:
    with running(sqlite_databases.new(migrate)) as service:
        assert told(service)["state"] == "off"
        models = service.get("/neighbours/rhetor/models")
        assert (models["state"], models["total"], models["read_at"]) == ("off", 0, None)
        assert "BUDGET_RHETOR_URL" in select(service, status=404)["detail"]


def test_settings_that_cannot_be_name_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    nobody: Any = None
    with pytest.raises(InvalidInput, match="BUDGET_RHETOR_URL"):
        neighbour.Rhetor(Setup({"BUDGET_RHETOR_URL": "rhetor"}, nobody, "", 0, ""))
    former = neighbour.Rhetor(Setup({"RHETOR_API_URL": "http://127.0.0.1:1/"}, nobody, "", 0, ""))
    assert former.address == "http://127.0.0.1:1"
    for text in ("0", "86401", "soon", "-1"):
        with pytest.raises(InvalidInput, match="BUDGET_RHETOR_POLL_SECONDS"):
            neighbour.read_poll_seconds({"BUDGET_RHETOR_POLL_SECONDS": text})
    assert neighbour.read_poll_seconds({}) == 300


def test_a_model_of_rhetors_counts_in_the_limits_of_who_sells_it(
    rhetor: Rhetor, sqlite_databases: SqliteDatabases
) -> None:
    told_of = {"model_id": "gemini-2-5-flash", "provider": "gemini", "name": "Gemini"}
    rhetor.fault = lambda asked: (
        (200, told_of) if asked.path.endswith("/select") else rhetor.answer(asked)
    )
    prices = PriceBook(bundled_prices(), {("ollama", "llama3.3:70b"): Rates(0, 0)})
    env = {"BUDGET_RHETOR_URL": rhetor.url}
    with running(sqlite_databases.new(migrate), prices=prices, env=env) as service:
        routing = select(service, capability="chat")["routing"]
        assert (routing["provider"], routing["model"]) == ("google", "gemini-2-5-flash")
        # 0.30 and 2.50 USD a million: 0.0003 + 0.0025
        assert routing["estimated_cost"] == "0.0028"
        limit(service, "0", provider="google")
        routing = select(service, capability="chat")["routing"]
        # The next cheaper of others, at 0.30 and 0.50; OpenAI has retired gpt-3.5-turbo.
        assert (routing["provider"], routing["model"]) == ("x-ai", "grok-3-mini-20250827")
        assert routing["estimated_cost"] == "0.0008"


def test_a_limit_of_the_key_that_asks_counts(service: Running) -> None:
    key = service.post("/keys", {"name": "app", "scopes": ["spend"]}, status=201)
    limit(service, "0", key=key["key_id"])
    assert select(service)["routing"]["model"] == "gpt-4o"
    answer = service.client.post(
        "/api/v1/neighbours/rhetor/select", json=REASONING, headers={"X-API-Key": key["key"]}
    )
    assert answer.json()["routing"]["model"] == "llama3.3:70b"
    routed = {"provider": "openai", "model": "gpt-4o", "input_tokens": 1, "models": []}
    answer = service.client.post("/api/v1/route", json=routed, headers={"X-API-Key": key["key"]})
    assert (answer.status_code, answer.json()["allowed"]) == (200, False)

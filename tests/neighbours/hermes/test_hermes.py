"""Hermes as a neighbour of a service: always found again, and never in the way of a call."""

import asyncio
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.neighbours.company import FIRST_PAUSE_SECONDS, LEAVE_SECONDS, Company
from budget.neighbours.hermes import hermes as neighbour
from budget.neighbours.hermes.hermes import Hermes
from budget.neighbours.known import KNOWN, Setup
from tests.fakes.tekton.component import BROKEN, GARBAGE, Answer, Component
from tests.fakes.tekton.component import running as listening
from tests.fakes.tekton.hermes import FakeHermes
from tests.http.running import Running, running
from tests.neighbours.hermes.conftest import URL, Join, until
from tests.support.databases import SqliteDatabases
from tests.support.results import report

pytestmark = pytest.mark.anyio

IDS = {"budget", "penia"}
REAL = {name: getattr(Hermes, name) for name in ("most_pause_seconds", "beat_seconds")}
PROMISED_SECONDS = 10.0
LIES: Mapping[str, Answer] = {
    "500": BROKEN,
    "garbage": GARBAGE,
    "200 with an error": lambda _: (200, {"success": False, "error": "registry is read only"}),
    "200 with null": lambda _: (200, None),
    "401": lambda _: (401, {"detail": "Invalid authentication token"}),
    "422": lambda _: (422, {"detail": [{"loc": ["body"], "msg": "no"}]}),
    "a number": lambda _: (200, 7),
}


def _made(books: Books, **env: str) -> Hermes:
    told = {"BUDGET_HERMES_URL": "http://127.0.0.1:8001", **env}
    return Hermes(Setup(told, AsyncBudget(books), URL, 8013, "test"))


def _calls(service: Running) -> None:
    """A call is held for, and what it used is booked."""
    held = service.post("/allocations", {"usd": "1", "model": "m", "provider": "p"})
    body = {"input_tokens": 10, "output_tokens": 1}
    service.post(f"/allocations/{held['allocation_id']}/usage", body)


async def test_in_every_failure_of_hermes_calls_are_held_for_and_booked(
    sqlite_databases: SqliteDatabases, fake: FakeHermes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour, "TIMEOUT_SECONDS", 0.2)
    component = fake.component()
    component.start()
    component.stop()  # it is not there when the service starts
    with running(sqlite_databases.new(), env={"HERMES_URL": component.url}) as service:
        service.budget()
        _calls(service)

        def state() -> dict[str, Any]:
            found = service.get("/neighbours")["items"]
            return next(one for one in found if one["name"] == "hermes")

        async def registered() -> None:
            await until(lambda: set(fake.entries) == IDS and state()["state"] == "working")
            _calls(service)

        await until(lambda: state()["state"] == "failing")
        assert "could not be reached" in state()["last_error"]
        component.start()
        await registered()
        for lie in LIES.values():
            component.fault = lie
            await until(lambda: state()["state"] == "failing")
            _calls(service)
            component.fault = None
            await registered()
        component.cut = True
        await until(lambda: state()["state"] == "failing")
        _calls(service)
        component.cut = False
        await registered()
        component.hold = threading.Event()
        await until(lambda: state()["state"] == "failing")
        assert "did not answer in time" in state()["last_error"]
        _calls(service)
        component.hold.set()
        component.hold = None
        fake.forget()
        await registered()
        health = service.client.get("/health").json()
        assert health["neighbours"]["hermes"] == "working"
    assert (fake.entries, fake.tools) == ({}, {})
    component.stop()


async def test_ten_restarts_at_random_moments_are_each_made_good(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    chance = random.Random(10)
    async with join() as hermes:
        for _ in range(10):
            await until(lambda: set(fake.entries) == IDS)
            await asyncio.sleep(chance.uniform(0, 0.05))
            await _restart(fake, component, down_seconds=chance.choice((0, 0, 0.03)))
        await until(lambda: set(fake.entries) == IDS and hermes.contact.state == "working")
        await until(lambda: "budget_settle" in fake.tools)
    assert (fake.entries, fake.tools) == ({}, {})


async def _restart(fake: FakeHermes, component: Component, down_seconds: float) -> float:
    """Kill it, and start it with nothing in it; the moment from which on it answers."""
    await asyncio.to_thread(component.stop)
    fake.forget()
    await asyncio.sleep(down_seconds)
    component.start()
    return time.monotonic()


@pytest.mark.faults
async def test_a_hundred_restarts_at_random_moments_are_each_made_good_within_ten_seconds(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten beside one another, ten times each, at the intervals of every day."""
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", FIRST_PAUSE_SECONDS)
    for name, seconds in REAL.items():
        monkeypatch.setattr(Hermes, name, seconds)
    took = [
        seconds
        for some in await asyncio.gather(*(_restarted(books, seed) for seed in range(10)))
        for seconds in some
    ]
    took.sort()
    report("hermes_restarts", restarts=len(took), half_seconds=took[50], worst_seconds=took[-1])
    assert len(took) == 100
    assert took[-1] <= PROMISED_SECONDS


async def _restarted(books: Books, seed: int) -> list[float]:
    """How long it took after each of ten restarts until both entries were there again."""
    chance = random.Random(seed)
    fake = FakeHermes()
    took = []
    with listening(fake.component()) as component:
        company = Company([_made(books, BUDGET_HERMES_URL=component.url)])
        company.start()
        for _ in range(10):
            await until(lambda: set(fake.entries) == IDS)
            await asyncio.sleep(chance.uniform(0, 5))
            up_at = await _restart(fake, component, chance.choice((0, 0, 1, chance.uniform(0, 8))))
            await until(lambda: set(fake.entries) == IDS)
            took.append(time.monotonic() - up_at)
        await company.close()
    return took


async def test_leaving_a_hermes_that_hangs_ends_by_itself(
    books: Books, fake: FakeHermes, component: Component
) -> None:
    one = _made(books, BUDGET_HERMES_URL=component.url)
    company = Company([one])
    company.start()
    await until(lambda: one.contact.state == "working")
    component.hold = threading.Event()
    async with asyncio.timeout(10 * LEAVE_SECONDS):
        await company.close()
    assert set(fake.entries) == IDS


async def test_one_that_was_never_there_is_left_without_a_word(books: Books) -> None:
    with listening(FakeHermes().component()) as component:
        one = _made(books, BUDGET_HERMES_URL=component.url)
        await one.leave()
        assert component.asked == []


async def test_what_we_announce_and_under_which_ids_is_the_operators_to_say(
    join: Join, fake: FakeHermes
) -> None:
    env = {"BUDGET_HERMES_ENDPOINT": "https://budget.example/", "BUDGET_HERMES_IDS": "budget_eu"}
    async with join(**env):
        await until(lambda: "budget_settle" in fake.tools and fake.entries)
        assert {id: one["endpoint"] for id, one in fake.entries.items()} == {
            "budget_eu": "https://budget.example"
        }
        assert fake.tools["budget_settle"]["endpoint"].startswith("https://budget.example/api/")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("BUDGET_HERMES_URL", "localhost:8001"),
        ("BUDGET_HERMES_ENDPOINT", "budget.example"),
        ("BUDGET_HERMES_ENDPOINT", "http://budget.example?x=1"),
        ("BUDGET_HERMES_IDS", "Budget"),
        ("BUDGET_HERMES_IDS", "budget,,penia"),
        ("BUDGET_HERMES_IDS", "a,b,c,d,e"),
        ("BUDGET_HERMES_IDS", "../x"),
        ("BUDGET_NEIGHBOUR_ORIGINS", "everywhere"),
    ],
)
def test_a_setting_that_cannot_be_is_an_error_that_names_it(
    books: Books, setting: str, value: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        _made(books, **{setting: value})
    assert caught.value.field == setting


def test_it_is_on_by_either_name_of_its_setting_and_off_without() -> None:
    known = next(one for one in KNOWN if one.name == "hermes")
    assert known.is_on({"BUDGET_HERMES_URL": "http://localhost:8001"})
    assert known.is_on({"HERMES_URL": "http://localhost:8001"})
    assert not known.is_on({"BUDGET_HERMES_URL": "off"})
    assert not known.is_on({})

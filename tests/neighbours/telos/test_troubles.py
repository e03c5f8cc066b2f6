"""Whatever happens to Telos, nothing is loosened, nothing is done twice, and Budget serves."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.neighbours.calling import Unanswered
from budget.neighbours.known import Setup, read_neighbours
from budget.neighbours.telos import telos as neighbour
from tests.fakes.tekton.component import BROKEN, GARBAGE, Answer, Asked, Told
from tests.fakes.tekton.telos import Telos as Fake
from tests.http.running import running as serving
from tests.neighbours.telos.conftest import HARD, Beside
from tests.support.databases import SqliteDatabases

SAYS_SO: Answer = lambda _: (200, {"status": "error", "message": "no"})  # noqa: E731
NOT_THE_LIST: Answer = lambda _: (200, {"items": []})  # noqa: E731


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [BROKEN, GARBAGE, SAYS_SO, NOT_THE_LIST])
async def test_a_telos_that_fails_changes_nothing_here(beside: Beside, fault: Answer) -> None:
    beside.limit()
    await beside.look()
    beside.fake.component.fault = fault
    with pytest.raises(Unanswered):
        await beside.look()
    assert beside.policy.limit == 100 * 10**9


@pytest.mark.anyio
async def test_one_that_forgets_everything_is_not_believed_whatever_is_made_there_then(
    beside: Beside,
) -> None:
    beside.limit()
    await beside.look()
    forgotten = dict(beside.fake.projects)
    beside.fake.forget()
    await beside.look()
    assert beside.telos.contact.facts["lost_projects"] == "1: Atlas"
    beside.fake.make_project("New")
    for _ in range(4):
        await beside.look()
    beside.fake.make_project("Newer")
    for _ in range(4):
        await beside.look()
    assert beside.policy.limit == 100 * 10**9
    assert beside.telos.contact.facts["lost_projects"] == "1: Atlas"
    beside.fake.projects.update(forgotten)
    await beside.look()
    assert "lost_projects" not in beside.telos.contact.facts
    del beside.fake.projects[beside.project]  # now it is one among others
    await beside.look()
    await beside.look()
    assert beside.budgets() == []


@pytest.mark.anyio
async def test_one_that_forgets_all_but_one_is_not_believed(beside: Beside) -> None:
    lost = [beside.project, beside.fake.make_project("Borealis")]
    for beside.project in lost:
        beside.limit()
    beside.fake.make_project("Old")
    await beside.look()
    for project in lost:
        del beside.fake.projects[project]
    for _ in range(4):
        await beside.look()
    assert len(beside.budgets()) == 2
    assert beside.telos.contact.facts["lost_projects"] == "2: Atlas; Borealis"
    for budget in beside.budgets():  # a person knows
        beside.books.archive_budget(budget.budget_id)
    await beside.look()
    assert "lost_projects" not in beside.telos.contact.facts


@pytest.mark.anyio
async def test_one_that_forgets_while_a_project_is_missed_is_not_believed(beside: Beside) -> None:
    beside.limit()
    beside.fake.make_project("Another")
    await beside.look()
    del beside.fake.projects[beside.project]
    await beside.look()  # missed once
    beside.fake.forget()
    beside.fake.make_project("New")
    for _ in range(4):
        await beside.look()
    assert len(beside.budgets()) == 1


@pytest.mark.anyio
async def test_a_project_that_is_deleted_is_archived_when_it_is_sure(beside: Beside) -> None:
    beside.limit()
    beside.fake.make_project("Another")
    await beside.look()
    del beside.fake.projects[beside.project]
    await beside.look()
    assert beside.policy.limit == 100 * 10**9
    await beside.look()
    assert beside.budgets() == []
    assert "withdrew" in beside.alerted()


@pytest.mark.anyio
async def test_what_is_wrong_is_named(beside: Beside) -> None:
    beside.limit(title="Too loose", metadata={"budget": {**HARD, "period": "hourish"}})
    beside.books.create_budget(
        name="Ours", policies=[HARD], metadata={"telos": {"project": "nowhere"}}
    )
    await beside.look()
    facts = beside.telos.contact.facts
    assert facts["wrong"].startswith("1: Too loose of Atlas, budget.period: ")
    assert facts["unknown_projects"] == "1: nowhere"
    beside.telos._wanted = frozenset(["Atlass", "Atlas"])
    await beside.look()
    assert (facts["projects_not_there"], facts["projects"]) == ("1: Atlass", "1")


@pytest.mark.anyio
async def test_what_breaks_off_at_any_request_is_done_once_in_the_end(beside: Beside) -> None:
    """The first request is done there and its answer lost, then the second, and so on."""
    answer, left = beside.fake.component.answer, 0

    def losing(asked: Asked) -> Told:
        nonlocal left
        left -= 1
        told = answer(asked)
        return (500, {"detail": "lost"}) if left == 0 else told

    beside.fake.component.answer = losing
    for number in itertools.count(1):
        beside.project = beside.fake.make_project(f"Number {number}")
        beside.telos._wanted = frozenset([beside.project])
        beside.limit(title=f"Theirs {number}")
        beside.books.create_budget(
            name=f"Ours {number}", policies=[HARD], metadata={"telos": {"project": beside.project}}
        )
        left = number
        try:
            await beside.look()
        except Unanswered:
            await beside.look()
        else:
            break
        there = beside.fake.projects[beside.project]["requirements"].values()
        titles = [f"Ours {number}", f"Theirs {number}"]
        assert sorted(one["title"] for one in there) == titles
        assert {one["metadata"]["budget_state"] for one in there} == {"in force"}
        assert sorted(one.name for one in beside.budgets() if one.name in titles) == titles
    assert number > 5


def test_the_service_serves_through_every_trouble_of_telos(
    sqlite_databases: SqliteDatabases, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbour, "ROUND_SECONDS", 0.02)
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(neighbour.Telos, "most_pause_seconds", 0.05)
    project = fake.make_project()
    limit: Any = {"budget": HARD}
    fake.require(project, requirement_type="constraint", tags=["budget"], metadata=limit)
    component = fake.component
    with serving(sqlite_databases.new(), env={"BUDGET_TELOS_URL": component.url}) as service:

        def state() -> str:
            told = service.get("/neighbours")["items"]
            return str(next(one["state"] for one in told if one["name"] == "telos"))

        def until(so: Callable[[], bool]) -> None:
            for _ in range(3000):
                spend()
                if so():
                    return
            raise AssertionError("it did not come about")

        def spend() -> None:
            ask = {"usd": "0.001", "tokens": 1, "attributes": {"project": project}}
            held = service.post("/allocations", ask)
            path = f"/allocations/{held['allocation_id']}/usage"
            service.post(path, {"input_tokens": 1, "cost": "0.001", "final": True})

        until(lambda: len(service.get("/budgets")["items"]) == 1)
        for fault in (BROKEN, GARBAGE, SAYS_SO):
            component.fault = fault
            until(lambda: state() == "failing")
            component.fault = None
            until(lambda: state() == "working")
        component.cut = True
        until(lambda: state() == "failing")
        component.cut = False
        until(lambda: state() == "working")
        component.hold = threading.Event()  # it hangs
        for _ in range(5):
            spend()
        component.hold.set()
        component.hold = None
        component.stop()
        until(lambda: state() == "failing")
        fake.forget()
        component.start()
        until(lambda: state() == "working")
        (budget,) = service.get("/budgets")["items"]
        assert budget["policies"][0]["limit"] == "100.00"
        assert service.client.get("/health").json()["neighbours"]["telos"] == "working"


def test_a_setting_that_is_no_address_is_named_at_the_start(books: Books) -> None:
    setup = Setup({"BUDGET_TELOS_URL": "here"}, AsyncBudget(books.books), "", 1, "test")
    with pytest.raises(InvalidInput, match="BUDGET_TELOS_URL"):
        read_neighbours(setup)


@pytest.mark.anyio
async def test_only_the_projects_that_are_named_are_looked_at(beside: Beside) -> None:
    beside.limit()
    other = beside.fake.make_project("Other")
    beside.telos._wanted = frozenset(["Other"])
    await beside.look()
    assert beside.budgets() == []
    beside.telos._wanted = frozenset([beside.project, other])
    await beside.look()
    assert len(beside.budgets()) == 1

"""What a project and its requirements have cost is written into their metadata."""

from typing import Any

import pytest

from budget.engine.budget import Budget as Books
from budget.engine.progress import requirements_spent
from budget.neighbours.telos import costs
from tests.engine.opened import DAY, MINUTE, Clock
from tests.neighbours.telos.conftest import HARD, Beside

pytestmark = pytest.mark.anyio


def spend(books: Books, project: str, requirement: str | None, tokens: int) -> None:
    """So many input tokens at 0.001 USD each."""
    attributes = {"project": project}
    if requirement is not None:
        attributes["tag.requirement"] = requirement
    books.record_usage(model="m", provider="local", input_tokens=tokens, attributes=attributes)


async def test_the_cost_of_requirements_is_written_beside_what_others_wrote(
    beside: Beside,
) -> None:
    feature = beside.fake.require(beside.project, title="Search", metadata={"owner": "bob"})
    silent = beside.fake.require(beside.project, title="Not begun")
    limit = beside.limit()
    spend(beside.books, beside.project, feature, 2_500)
    spend(beside.books, beside.project, None, 500)
    spend(beside.books, "another", feature, 7_000)
    await beside.look()
    told = beside.metadata(feature)
    usage = told["budget_usage"]
    assert told["owner"] == "bob"
    assert (usage["spent_usd"], usage["tokens"], usage["requests"]) == ("2.50", 2500, 1)
    assert usage["as_of"] == "2026-05-16T00:00:00Z"
    assert "budget_usage" not in beside.metadata(silent)
    assert beside.fake.projects[beside.project]["metadata"]["budget_usage"]["spent_usd"] == "3.00"
    (of_limit,) = beside.metadata(limit)["budget_usage"]["limits"]
    assert (of_limit["spent"], of_limit["limit"], of_limit["share"]) == ("3.00", "100.00", "0.03")
    spend(beside.books, beside.project, feature, 25_000)
    await beside.look()
    (of_limit,) = beside.metadata(limit)["budget_usage"]["limits"]
    assert (of_limit["spent"], of_limit["share"]) == ("28.00", "0.28")
    assert beside.metadata(feature)["budget_usage"]["spent_usd"] == "27.50"


async def test_what_is_the_same_is_not_written_again(beside: Beside, clock: Clock) -> None:
    feature = beside.fake.require(beside.project)
    beside.limit()
    spend(beside.books, beside.project, feature, 10)
    await beside.look()
    await beside.look()
    before = len(beside.fake.writes())
    clock.move(MINUTE)
    await beside.look()
    assert len(beside.fake.writes()) == before


async def test_what_others_write_meanwhile_stays(beside: Beside) -> None:
    feature = beside.fake.require(beside.project, metadata={"a": 1})
    spend(beside.books, beside.project, feature, 10)
    answer = beside.fake.component.answer

    def meanwhile(asked: Any) -> Any:
        told = answer(asked)
        if asked.path.endswith("/requirements"):  # right after we have read the list
            beside.fake.change(beside.project, feature, metadata={"a": 2, "b": 3})
        return told

    beside.fake.component.answer = meanwhile
    await beside.look()
    told = beside.metadata(feature)
    assert (told["a"], told["b"], told["budget_usage"]["spent_usd"]) == (2, 3, "0.01")


async def test_progress_tells_the_titles_and_states_that_telos_has(
    beside: Beside, clock: Clock
) -> None:
    feature = beside.fake.require(beside.project, title="Search", status="in-progress")
    beside.limit({**HARD, "limit": "62"})
    await beside.look()
    clock.move(15 * DAY // 2)
    spend(beside.books, beside.project, feature, 15_000)
    progress = beside.books.project_progress(beside.project)
    assert progress.title == "Atlas"
    search = next(one for one in progress.requirements if one.requirement == feature)
    assert (search.title, search.status) == ("Search", "in-progress")
    assert search.spent.cost_nanos == 15 * 10**9
    (limit,) = progress.limits
    # 15 USD in the 7.5 days since the limit was made, and 8.5 days are left of May: 15 + 17.
    assert limit.forecast == 32 * 10**9
    assert limit.exhausted_us is None


async def test_costs_are_summed_up_when_something_was_spent_and_then_rest(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed: list[str] = []

    def counting(connection: Any, project: str) -> Any:
        summed.append(project)
        return requirements_spent(connection, project)

    monkeypatch.setattr(costs, "requirements_spent", counting)
    feature = beside.fake.require(beside.project)
    spend(beside.books, beside.project, feature, 10)
    await beside.look()
    await beside.look()  # nothing was spent
    assert len(summed) == 1
    spend(beside.books, beside.project, feature, 10)
    monkeypatch.setattr(costs, "REST", 10**9)
    await beside.look()
    spend(beside.books, beside.project, feature, 10)
    await beside.look()  # it rests
    assert len(summed) == 2
    assert beside.metadata(feature)["budget_usage"]["spent_usd"] == "0.02"

"""Progress: what a project and its requirements have cost, and how their limits stand."""

from typing import Any

import pytest

from budget.client.reading.progress import project_progress as read
from budget.domain.answers_progress import LimitProgress, ProjectProgress, Spent
from budget.domain.errors import NotFound
from budget.domain.wire.progress import project_progress as written
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import DAY, MILLI, USD, Clock


def spend(books: Books, tokens: int, requirement: str | None = None, **more: str) -> str:
    """Usage of the project `atlas`."""
    of = {} if requirement is None else {"tag.requirement": requirement}
    attributes = {"project": "atlas", **of, **more}
    return books.record_usage(model="m", input_tokens=tokens, attributes=attributes).usage_id


def progress(books: Books) -> ProjectProgress:
    """That of `atlas`, which comes through JSON as it is."""
    told = books.project_progress("atlas")
    assert read(written(told)) == told
    return told


def limit(amount: str, period: str = "monthly", **more: Any) -> Any:
    return {"unit": "usd", "period": period, "limit": amount, "enforcement": "warn", **more}


def test_cost_is_told_by_requirement_and_what_has_none(books: Books) -> None:
    spend(books, 3000, "r1")
    mistaken = spend(books, 500, "r2")
    spend(books, 200)
    books.correct(mistaken, reason="twice", replacement={"input_tokens": 100})
    spend(books, 9000, "r1", project="another")
    told = progress(books)
    assert told.spent == Spent(3300 * MILLI, 3300, 3)
    assert {one.requirement: one.spent for one in told.requirements} == {
        "r1": Spent(3000 * MILLI, 3000, 1), "r2": Spent(100 * MILLI, 100, 1),
    }  # fmt: skip
    assert told.unassigned == Spent(200 * MILLI, 200, 1)
    assert told.limits == ()


def test_limits_are_of_the_project_or_of_a_requirement_or_split_by_them(books: Books) -> None:
    made = {
        name: books.create_budget(name=name, scope=scope, per=per, policies=[limit("10")])
        for name, scope, per in (
            ("all", {}, []),
            ("project", {"project": "atlas"}, []),
            ("another", {"project": "another"}, []),
            ("several", {"project": ["atlas", "another"]}, []),
            ("requirement", {"project": "atlas", "tag.requirement": "r1"}, []),
            ("each project", {}, ["project"]),
            ("each requirement", {"project": "atlas"}, ["tag.requirement"]),
            ("each user", {"project": "atlas"}, ["user"]),
        )
    }  # fmt: skip
    assert len(made) == 8
    spend(books, 1000, "r1", user="ann")
    spend(books, 2000, "r2")
    told = progress(books)

    def named(limits: tuple[LimitProgress, ...]) -> dict[str, int]:
        return {one.balance.budget: one.balance.spent for one in limits}

    assert named(told.limits) == {"each project": 3 * USD, "project": 3 * USD}
    r1, r2 = told.requirements
    assert named(r1.limits) == {"each requirement": USD, "requirement": USD}
    assert named(r2.limits) == {"each requirement": 2 * USD}


def test_the_forecast_is_a_straight_line_from_when_the_limit_began(
    books: Books, clock: Clock
) -> None:
    limits = [limit("100"), limit("12", "total"), limit("9", "rolling:5d")]
    books.create_budget(name="Atlas", scope={"project": "atlas"}, policies=limits)
    clock.move(4 * DAY)  # it is noon of the 19th of May; 12.5 days are left
    spend(books, 8000)
    monthly, total, rolling = progress(books).limits
    assert (monthly.forecast, monthly.exhausted_us) == (8 * USD + 25 * USD, None)
    # Four USD are left of twelve at two a day.
    assert (total.forecast, total.exhausted_us) == (None, clock.now_us + 2 * DAY)
    assert (rolling.forecast, rolling.exhausted_us) == (None, None)


def test_whoever_is_bound_sees_the_calls_and_limits_of_its_own(light: Books) -> None:
    light.create_budget(name="Atlas", scope={"project": "atlas"}, policies=[limit("10")])
    spend(light, 1000, "r1", team="a")
    spend(light, 2000, "r2", team="b")
    of_a = light.acting_as(Caller("key", bound={"team": "a"})).project_progress("atlas")
    assert of_a.spent.cost_nanos == USD
    assert [one.requirement for one in of_a.requirements] == ["r1"]
    assert of_a.limits == ()
    for bound in ({"team": "c"}, {"project": "another"}):
        with pytest.raises(NotFound):
            light.acting_as(Caller("key", bound=bound)).project_progress("atlas")


def test_a_project_that_nobody_knows_is_not_found(light: Books) -> None:
    with pytest.raises(NotFound):
        light.project_progress("nowhere")

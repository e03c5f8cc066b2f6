"""Planning: which tasks are done, by which model, within the limits as they stand, and why."""

from collections.abc import Iterator
from typing import Any

import pytest

from budget.client.reading.plans import plan as plan_of
from budget.domain.answers_plans import Plan, PlannedTask
from budget.domain.errors import Forbidden, InvalidInput, NotFound
from budget.domain.pricing import Rates
from budget.domain.wire.plans import plan as written
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.prices.book import PriceBook
from tests.engine.opened import USD, Clock, us
from tests.support.databases import SqliteDatabases

SMALL, MIDDLE, LARGE = "phi-2", "llama-3", "gpt-4"
RATES: dict[tuple[str | None, str], Rates] = {
    (None, SMALL): Rates(10**9, 10**9),
    (None, MIDDLE): Rates(2 * 10**9, 2 * 10**9),
    (None, LARGE): Rates(10 * 10**9, 10 * 10**9),
}
"""0.001, 0.002 and 0.01 USD for a token, of the three tiers in turn."""
MODELS = [SMALL, MIDDLE, LARGE]
HARD: Any = {"unit": "usd", "period": "total", "enforcement": "hard_limit"}


@pytest.fixture
def books(sqlite_databases: SqliteDatabases) -> Iterator[Books]:
    clock = Clock(us("2026-05-16 00:00"))
    with Books.open(
        sqlite_databases.new(), clock=clock, prices=PriceBook(None, RATES), sweep=False
    ) as opened:
        yield opened


def task(name: str, tokens: int = 1000, **given: Any) -> Any:
    """A task of so many input tokens, 1 USD a thousand with the small model."""
    return {"id": name, "input_tokens": tokens, "max_output_tokens": 0, **given}


def limit(books: Books, usd: str, **scope: Any) -> str:
    policy: Any = {**HARD, "limit": usd}
    budget = books.create_budget(name=f"At most {usd}", scope=scope, policies=[policy])
    return budget.budget_id


def planned(books: Books, *tasks: Any, **ask: Any) -> dict[str, PlannedTask]:
    """The tasks by id; the plan must be proved to be the best."""
    plan = books.plan_tasks(tasks=tasks, **{"models": MODELS, **ask})
    assert plan.is_best
    assert plan_of(written(plan)) == plan  # as a client reads it
    return {one.task_id: one for one in plan.tasks}


def test_without_a_limit_each_task_is_done_by_the_cheapest_that_is_worth_most(
    books: Books,
) -> None:
    told = planned(
        books, task("plain"), task("better", value=1, values={"local_midweight": 4, LARGE: 9})
    )
    plain, better = told["plain"], told["better"]
    assert (plain.model, plain.tier, plain.hold_nanos) == (SMALL, "local_lightweight", USD)
    assert "cheapest of 3 models" in plain.why
    assert (better.model, better.value, better.hold_nanos) == (LARGE, 9, 10 * USD)
    assert "No other of 3 models is worth 9" in better.why


def test_within_a_limit_what_is_worth_most_is_done_and_the_rest_is_explained(
    books: Books,
) -> None:
    limit(books, "5", project="atlas")
    told = planned(
        books,
        task("a", 3000, value=5), task("b", 4000, value=6), task("c", 2000, value=4),
        attributes={"project": "atlas"},
    )  # fmt: skip
    # 3 + 2 USD are worth 9; 4 USD alone are worth 6, and with 2 more they do not fit.
    assert {name for name, one in told.items() if one.model} == {"a", "c"}
    left = told["b"]
    (lack,) = left.lacks
    assert (lack.budget, lack.amount) == ("At most 5", 4 * USD)
    assert left.why == (
        f"{SMALL}, the nearest to fitting, would hold 4.00 USD. There is not enough room beside "
        "what is worth more: 'At most 5' has 0.00 USD total free and 4.00 USD are needed."
    )


def test_a_higher_priority_goes_first_whatever_the_others_are_worth(books: Books) -> None:
    limit(books, "5")
    told = planned(
        books, task("urgent", 4000, priority=8), task("worthy", 2000, value=1000, priority=5)
    )
    assert (told["urgent"].model, told["worthy"].model) == (SMALL, None)


def test_a_better_model_is_taken_as_far_as_the_budget_goes(books: Books) -> None:
    limit(books, "12")
    better = {"local_midweight": 3, "remote_heavyweight": 5}
    told = planned(
        books, task("a", values=better), task("b", values=better), task("c", values=better)
    )
    # Large and small and small come to 12 USD and 5 + 1 + 1; three of the middle to 6 and 9.
    assert {one.model for one in told.values()} == {MIDDLE}
    assert "Another would be worth 5" in told["a"].why


def test_what_is_spent_and_held_already_is_not_there_to_plan_with(books: Books) -> None:
    limit(books, "5")
    books.record_usage(model=SMALL, input_tokens=1000)
    books.allocate(model=SMALL, input_tokens=1000, max_output_tokens=0)
    told = planned(books, task("fits", 3000, value=2), task("misses", 1000))
    assert [one.model for one in told.values()] == [SMALL, None]
    told = planned(books, task("large", 3001))
    assert told["large"].lacks[0].amount == 10**6  # 0.001 USD


def test_each_task_meets_the_limits_of_its_own_requirement_model_and_calls(
    books: Books,
) -> None:
    limit(books, "2", **{"tag.requirement": "r1"})
    limit(books, "0", model=SMALL)
    books.create_budget(
        name="Calls", scope={"tag.requirement": "r2"},
        policies=[{"unit": "requests", "period": "daily", "limit": 10,
                   "enforcement": "hard_limit"}],
    )  # fmt: skip
    told = planned(
        books,
        task("one", 1000, requirement="r1"), task("two", 1001, requirement="r1"),
        task("ten", 1, requirement="r2", calls=10), task("eleven", 1, requirement="r2", calls=11),
    )  # fmt: skip
    assert (told["one"].model, told["two"].model) == (MIDDLE, None)
    assert (told["ten"].model, told["eleven"].model) == (MIDDLE, None)
    assert told["ten"].hold_nanos == 10 * 2 * 10**6
    assert [one.amount for one in told["eleven"].lacks] == [1]


def test_what_holds_for_allocate_holds_for_a_plan(books: Books) -> None:
    limit(books, "10")
    plan = books.plan_tasks(tasks=[task(str(n), 700 * n) for n in range(1, 8)], models=MODELS)
    for one in plan.tasks:
        if one.model is not None:
            held = books.allocate(
                model=one.model, input_tokens=one.input_tokens, max_output_tokens=0,
                attributes={"task": one.task_id}, priority=one.priority,
            )  # fmt: skip
            assert held.reserved.usd == one.hold_nanos  # type: ignore[union-attr]
    assert plan.hold_nanos <= 10 * USD


def test_one_more_usd_is_told_for_what_it_buys(books: Books) -> None:
    limit(books, "3")
    plan = books.plan_tasks(
        tasks=[task("a", 2000, value=2), task("b", 2000, value=3)], models=MODELS
    )
    assert plan.one_more is not None
    assert [(one.value, one.at_most) for one in plan.one_more.values] == [(5, 5)]
    assert [tuple(one) for one in plan.one_more.tasks] == [("a", None, SMALL)]
    (of_limit,) = plan.limits
    assert (of_limit.free, of_limit.takes) == (3 * USD, 2 * USD)


def test_models_that_will_not_do_are_told_with_the_reason(books: Books) -> None:
    told = planned(books, task("hard", min_tier="remote_heavyweight"), models=[SMALL, "nonesuch"])
    hard = told["hard"]
    assert hard.model is None
    assert hard.candidates == 0
    assert hard.excluded[SMALL] == "is local_lightweight, below remote_heavyweight"
    assert hard.excluded["nonesuch"] == "has no known price"
    assert hard.why.startswith("No model will do: ")


def test_a_call_that_could_not_be_held_is_not_planned(books: Books) -> None:
    told = planned(books, task("huge", 10**9 + 1), models=[SMALL])
    assert told["huge"].excluded == {SMALL: "would hold more for a call than one may"}
    assert planned(books, task("large", 10**9), models=[SMALL])["large"].model == SMALL


def test_a_key_that_is_bound_is_told_nothing_of_limits_that_it_may_not_see(books: Books) -> None:
    limit(books, "1")
    bound = books.acting_as(Caller("key_a", manage=False, bound={"team": "a"}))
    plan: Plan = bound.plan_tasks(tasks=[task("a", 2000)], models=MODELS)
    (told,) = plan.tasks
    assert told.model is None
    assert "a limit that this key may not see" in told.why
    assert told.lacks == ((None, None, None),)
    assert plan.limits == ()
    with pytest.raises(Forbidden):
        bound.plan_tasks(tasks=[task("a", attributes={"team": "b"})], models=MODELS)


def test_what_is_null_is_as_if_left_out(books: Books) -> None:
    nothing: Any = dict.fromkeys(("priority", "value", "min_tier", "needs", "calls", "models"))
    told = planned(books, task("a", **nothing, values={SMALL: None}), providers=None)
    assert (told["a"].model, told["a"].value, told["a"].priority) == (SMALL, 1, 5)


def test_a_provider_that_sells_nothing_is_not_found(books: Books) -> None:
    with pytest.raises(NotFound):
        books.plan_tasks(tasks=[task("a")], providers=["nobody"])


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({}, "tasks"),
        ({"tasks": []}, "tasks"),
        ({"tasks": [task(str(n)) for n in range(201)]}, "tasks"),
        ({"tasks": ["a"]}, "tasks.0"),
        ({"tasks": [{}]}, "tasks.0.id"),
        ({"tasks": [task("a"), task("a")]}, "tasks.1.id"),
        ({"tasks": [task("no blanks")]}, "tasks.0.id"),
        ({"tasks": [{"id": "a"}]}, "tasks.0.input_tokens"),
        ({"tasks": [task("a", -1)]}, "tasks.0.input_tokens"),
        ({"tasks": [task("a", value=0)]}, "tasks.0.value"),
        ({"tasks": [task("a", values={"huge": 1})]}, "tasks.0.values"),
        ({"tasks": [task("a", values={SMALL: 0})]}, f"tasks.0.values.{SMALL}"),
        ({"tasks": [task("a", priority=11)]}, "tasks.0.priority"),
        ({"tasks": [task("a", min_tier="huge")]}, "tasks.0.min_tier"),
        ({"tasks": [task("a", needs=["wings"])]}, "tasks.0.needs"),
        ({"tasks": [task("a", needs="tools")]}, "tasks.0.needs"),
        ({"tasks": [task("a", needs={})]}, "tasks.0.needs"),
        ({"tasks": [task("a", calls=0)]}, "tasks.0.calls"),
        ({"tasks": [task("a", colour=1)]}, "tasks.0.colour"),
        ({"tasks": [task("a", project="p", attributes={"project": "q"})]},
         "tasks.0.attributes.project"),
        ({"tasks": [task("a")], "models": []}, "models"),
        ({"tasks": [task("a")], "models": None}, "models"),
        ({"tasks": [task("a")], "colour": 1}, "colour"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_told_by_its_field(books: Books, ask: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        books.plan_tasks(**{"models": MODELS, **ask})
    assert caught.value.field == field

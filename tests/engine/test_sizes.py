"""Sizes: what settled calls teach is told, and held by where the operator says so."""

from typing import Any

import pytest

from budget.domain.answers import Check, Refusal
from budget.domain.answers_contexts import LearntSize
from budget.engine.budget import Budget as Books
from tests.engine.opened import DAY, Clock, allocated

WHO: Any = {"component": "rhetor", "task_type": "chat", "model": "m"}


def teach(books: Books, used: int, times: int = 20, **who: Any) -> None:
    """Settled calls of `m` that used so many tokens."""
    for _ in range(times):
        hold = allocated(books, tokens=5000, **{**WHO, **who})
        books.settle(hold.allocation_id, input_tokens=used)


def held(books: Books, **ask: Any) -> int | None:
    """How many tokens a call is held by that states no size, unless the ask does."""
    hold = allocated(books, **{**WHO, **ask})
    books.release(hold.allocation_id)
    return hold.reserved.tokens


def adaptive(books: Books) -> None:
    books.change_settings(adaptive_sizes=True)


def test_what_is_taught_is_told_by_kind_of_call(books: Books, clock: Clock) -> None:
    teach(books, 3000)
    teach(books, 700, times=2, component="athena", task_type=None)
    told = {(one.component, one.task_type, one.family): one for one in books.sizes()}
    assert told["rhetor", "chat", "m"] == LearntSize(
        "rhetor", "chat", "m", 20, 3000, 3000, 4000, 2000, 16_000, False,
        "95% of 20 calls used at most 3,000 tokens. The table says 4,000.",
    )  # fmt: skip
    few = told["athena", "default", "m"]
    assert (few.calls, few.tokens, few.quantile_tokens) == (2, 2000, 700)
    adaptive(books)
    assert [one.applied for one in books.sizes()] == [True, False]
    clock.move(31 * DAY)
    assert books.sizes() == []


def test_a_model_teaches_under_every_date_of_it(light: Books) -> None:
    teach(light, 100, times=1, model="claude-3-haiku-20240307")
    teach(light, 100, times=1, model="anthropic/claude-3-haiku")
    assert [(one.family, one.calls) for one in light.sizes()] == [("claude-3-haiku", 2)]


def test_holds_take_what_was_learnt_only_where_that_is_on(light: Books) -> None:
    teach(light, 3000)
    assert held(light) == 4000  # chat, normal: the table
    adaptive(light)
    assert held(light) == 3000
    assert held(light, priority=10) == 3000  # the table would say 16,000
    checked = light.check(**WHO)
    assert isinstance(checked, Check)
    assert checked.reserved.tokens == 3000
    assert held(light, tokens=77) == 77
    assert held(light, task_type="coding") == 8000  # of which nothing was learnt
    assert held(light, component="athena") == 4000
    light.change_settings(adaptive_sizes=False)
    assert held(light) == 4000


def test_what_says_its_size_otherwise_is_left_alone(light: Books) -> None:
    teach(light, 3000)
    adaptive(light)
    assert held(light, usd="1") is None
    assert held(light, requests=1) is None
    assert held(light, input_tokens=10, max_output_tokens=5) == 15
    run = allocated(light, envelope=True, tokens=9000)
    assert held(light, parent_id=run.allocation_id) == 4000


def test_a_larger_size_is_taken_only_where_every_limit_has_room(books: Books) -> None:
    teach(books, 9000)
    adaptive(books)
    assert held(books) == 9000
    limit: Any = {"unit": "tokens", "period": "per_session", "limit": 10_000,
                  "enforcement": "hard_limit"}  # fmt: skip
    books.create_budget(name="Contexts", policies=[limit])
    assert held(books, context_id="ctx") == 9000
    allocated(books, context_id="ctx", tokens=1001)
    assert held(books, context_id="ctx") == 4000  # 8,999 are free: the table's size
    allocated(books, context_id="ctx", tokens=5000)
    assert isinstance(books.allocate(context_id="ctx", **WHO), Refusal)


def test_a_larger_size_minds_limits_in_money(light: Books) -> None:
    teach(light, 9000)
    adaptive(light)
    # A token of `m` is held at 0.002 USD: 9,000 are 18 USD, 4,000 are 8.
    dear: Any = {"unit": "usd", "period": "daily", "limit": "10", "enforcement": "hard_limit"}
    light.create_budget(name="Dear", policies=[dear])
    assert held(light) == 4000


def test_the_same_key_is_the_same_hold_whatever_was_learnt(light: Books) -> None:
    adaptive(light)
    ask: Any = {**WHO, "idempotency_key": "k"}
    first = allocated(light, **ask)
    assert first.reserved.tokens == 4000
    teach(light, 3000)
    light.books.sizes.forget()
    again = allocated(light, **ask)
    assert (again.allocation_id, again.reserved.tokens) == (first.allocation_id, 4000)
    assert held(light) == 3000


@pytest.mark.anyio
async def test_an_event_loop_holds_by_it_too(light: Books) -> None:
    from budget.engine.budget import AsyncBudget

    teach(light, 3000)
    adaptive(light)
    hold: Any = await AsyncBudget(light.books).allocate(**WHO)
    assert hold.reserved.tokens == 3000

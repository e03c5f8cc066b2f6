"""Placing: what a hold states and how large it may be, through the facade on both engines."""

from typing import Any

import pytest

from budget.domain.answers import Check, Refusal
from budget.engine.budget import Budget as Books
from tests.engine.opened import MINUTE, USD, Clock, allocated, balances, refused, told


def a_budget(books: Books, unit: str = "usd", limit: object = "10", **given: Any) -> str:
    """A budget with one hard limit; the id of its policy."""
    policy: Any = {"unit": unit, "period": "daily", "limit": limit}
    made = books.create_budget(name="B", policies=[policy], **given)
    return made.policies[0].policy_id


def test_requests_alone_say_nothing_of_the_money_of_a_priced_model(books: Books) -> None:
    a_budget(books)
    for more in ({}, {"model": "m"}):
        error = refused(books.allocate, requests=1, **more)
        assert (error.code, error.field) == ("amount_required", "usd")


def test_requests_alone_hold_no_money_of_a_model_that_may_go_without_a_price(books: Books) -> None:
    policy_id = a_budget(books, unpriced="allow")
    allocated(books, model="unheard-of", requests=1)
    assert [view.reserved for view in balances(books, policy_id)] == [0]


def test_a_call_of_an_envelope_has_the_size_of_its_run_s_task_type(books: Books) -> None:
    run = allocated(
        books, envelope=True, tokens=100_000, attributes={"task_type": "coding"}
    ).allocation_id
    # Tekton's table: coding at normal priority.
    assert allocated(books, parent_id=run).reserved.tokens == 8_000


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"input_tokens": 10**12, "max_output_tokens": 1, "model": "m"}, "max_output_tokens"),
        # 0.001 USD a token
        ({"input_tokens": 10**9 + 1, "max_output_tokens": 0, "model": "m"}, "max_output_tokens"),
        # 0.002 USD a token of the dearest kind
        ({"tokens": 5 * 10**8 + 1, "model": "m"}, "tokens"),
    ],
)
def test_a_hold_that_is_larger_than_any_may_be_is_refused_by_name(
    books: Books, ask: dict[str, Any], field: str
) -> None:
    assert refused(books.allocate, **ask).field == field


def test_the_largest_hold_is_a_million_dollars(books: Books) -> None:
    assert allocated(books, tokens=5 * 10**8, model="m").reserved.usd == 10**6 * USD


def test_a_check_says_what_a_call_would_be_told_while_holds_are_due(
    books: Books, clock: Clock
) -> None:
    books.change_policy(a_budget(books, "tokens", 10), on_expiry="release")
    allocated(books, tokens=10, ttl_seconds=60)
    assert isinstance(books.check(tokens=10), Refusal)
    clock.move(MINUTE)
    assert isinstance(books.check(tokens=10), Check)
    assert len(told(books, "expired")) == 1

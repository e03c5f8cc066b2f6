"""Correcting: what a replacement costs without a price, and what is not corrected."""

from typing import Any

import pytest

from budget.domain.errors import Forbidden
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import USD, Clock, allocated, balances, refused


def a_budget(books: Books, limit: str = "10") -> str:
    """A budget that lets models without a price go; the id of its policy in money."""
    policy: Any = {"unit": "usd", "period": "daily", "limit": limit}
    made = books.create_budget(name="B", policies=[policy], unpriced="allow")
    return made.policies[0].policy_id


def spent(books: Books, policy_id: str) -> int:
    (view,) = balances(books, policy_id)
    return view.spent


def reported(books: Books, **ask: Any) -> str:
    """Usage of a model without a price; the id of its record."""
    call = allocated(books, usd="1").allocation_id
    return books.settle(call, input_tokens=10, output_tokens=0, **ask).usage_id


def test_a_cost_that_was_reported_stays_when_only_the_counts_were_wrong(books: Books) -> None:
    policy_id = a_budget(books)
    record = reported(books, cost="0.5")
    fixed = books.correct(record, reason="r", replacement={"input_tokens": 11})
    assert fixed.cost_nanos == USD // 2
    assert spent(books, policy_id) == USD // 2
    assert fixed.replacement_id is not None
    again = books.correct(fixed.replacement_id, reason="r", replacement={"cost": "0.75"})
    assert again.cost_nanos == spent(books, policy_id) == USD * 3 // 4
    assert again.replacement_id is not None
    booked = books.usage_record(again.replacement_id)
    assert (booked.usage.input_tokens, booked.reported_cost_nanos) == (11, USD * 3 // 4)


def test_a_replacement_without_a_price_is_flagged(books: Books) -> None:
    a_budget(books)
    fixed = books.correct(reported(books), reason="r", replacement={"input_tokens": 11})
    assert fixed.replacement_id is not None
    record = books.usage_record(fixed.replacement_id)
    assert (record.cost_nanos, record.flags) == (None, ("correction", "unpriced"))


def test_a_replacement_that_goes_beyond_the_limit_is_flagged(books: Books) -> None:
    policy_id = a_budget(books, limit="1")
    fixed = books.correct(reported(books, cost="0.5"), reason="r", replacement={"cost": "3"})
    assert fixed.replacement_id is not None
    assert books.usage_record(fixed.replacement_id).flags == ("correction", "overrun")
    (view,) = balances(books, policy_id)
    assert (view.spent, view.overrun) == (3 * USD, 2 * USD)


@pytest.mark.parametrize("cost", ["-1", "NaN", 1.5, "1000000.01"])
def test_a_cost_that_is_none_is_refused_by_name(books: Books, cost: object) -> None:
    record = reported(books, cost="0.5")
    error = refused(books.correct, record, reason="r", replacement={"cost": cost})
    assert error.field == "replacement.cost"


def test_only_who_manages_may_correct(books: Books) -> None:
    record = reported(books)
    with pytest.raises(Forbidden):
        books.acting_as(Caller("ann", manage=False)).correct(record, reason="r")


def test_a_correction_reaches_a_limit_that_began_with_the_past(books: Books, clock: Clock) -> None:
    a_budget(books)
    record = reported(books, cost="0.5")
    clock.move(1)
    late = books.create_budget(
        name="Late", backfill=True, unpriced="allow",
        policies=[{"unit": "usd", "period": "daily", "limit": "1"},
                  {"unit": "tokens", "period": "rolling:1h", "limit": 100}],
    )  # fmt: skip
    usd, tokens = (policy.policy_id for policy in late.policies)
    assert (spent(books, usd), spent(books, tokens)) == (USD // 2, 10)
    fixed = books.correct(record, reason="r", replacement={"input_tokens": 4, "cost": "0.2"})
    assert (spent(books, usd), spent(books, tokens)) == (USD // 5, 4)
    assert fixed.replacement_id is not None
    books.correct(fixed.replacement_id, reason="r")
    assert (spent(books, usd), spent(books, tokens)) == (0, 0)


def test_a_correction_follows_a_limit_that_has_ended_since(books: Books, clock: Clock) -> None:
    a_budget(books)
    record = reported(books, cost="0.5")
    clock.move(1)
    late = books.create_budget(
        name="Late", backfill=True, policies=[{"unit": "usd", "period": "daily", "limit": "1"}]
    )
    first = books.correct(record, reason="r", replacement={"cost": "0.2"})
    books.archive_budget(late.budget_id)
    assert first.replacement_id is not None
    second = books.correct(first.replacement_id, reason="r")
    (view,) = [v for v in second.balances if v.policy.budget_id == late.budget_id]
    assert view.spent == 0

"""Explaining: why a call was admitted or refused, with each limit's figures just before."""

from typing import Any

import pytest

from budget.domain.errors import NotFound
from budget.domain.wire.trials import explanation
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import DAY, HOUR, MILLI, MINUTE, Clock, allocated

ANN = {"user": "ann"}


@pytest.fixture
def limited(books: Books) -> Books:
    """A hard limit of 1 USD a day and a warning limit of 2,000 tokens in any two hours."""
    policies: Any = [
        {"unit": "usd", "period": "daily", "limit": "1"},
        {"unit": "tokens", "period": "rolling:2h", "limit": 2000, "enforcement": "warn"},
    ]
    books.create_budget(name="All", policies=policies)
    return books


def figures(told: Any) -> dict[str, tuple[int, ...]]:
    """Limit, spent, reserved, and what was asked, by unit."""
    return {
        one.balance.policy.unit: (
            one.balance.limit, one.balance.spent, one.balance.reserved, one.requested
        )
        for one in told.limits
    }  # fmt: skip


def test_an_admitted_call_is_told_with_the_figures_before_it_and_what_came_later(
    limited: Books, clock: Clock
) -> None:
    limited.record_usage(model="m", input_tokens=100)  # 0.1 USD
    clock.move(MINUTE)
    allocated(limited, model="m", input_tokens=200, max_output_tokens=0)  # holds 0.2 USD
    clock.move(MINUTE)
    call = allocated(limited, model="m", input_tokens=300, max_output_tokens=0, attributes=ANN)
    clock.move(HOUR)
    receipt = limited.settle(call.allocation_id, input_tokens=250, output_tokens=0)
    limited.record_usage(model="m", input_tokens=50)
    told = limited.explain(call.allocation_id)
    assert (told.verdict, told.at_us, told.attributes["user"]) == (
        "admitted",
        call.placed_us,
        "ann",
    )
    assert figures(told) == {
        "usd": (1000 * MILLI, 100 * MILLI, 200 * MILLI, 300 * MILLI),
        "tokens": (2000, 100, 200, 300),
    }
    (step,) = told.later
    assert (step.kind, step.usage_id, step.cost_nanos) == ("settled", receipt.usage_id, 250 * MILLI)
    assert limited.explain(receipt.usage_id).allocation_id == call.allocation_id


def test_a_refused_call_is_told_with_every_limit_that_it_met(limited: Books, clock: Clock) -> None:
    limited.record_usage(model="m", input_tokens=700)
    clock.move(DAY - 12 * HOUR - MINUTE)  # a minute before midnight
    limited.record_usage(model="m", input_tokens=50)
    limited.allocate(model="m", input_tokens=400, max_output_tokens=0, attributes=ANN)
    limited.record_usage(model="m", input_tokens=10)
    told = limited.explain()
    assert (told.verdict, told.code, told.times) == ("refused", "over_limit", 1)
    assert [one.refused for one in told.limits] == [True, False]
    # 0.75 of 1 USD was spent; of the tokens only the 50 of the last two hours count.
    assert figures(told) == {
        "usd": (1000 * MILLI, 750 * MILLI, 0, 400 * MILLI), "tokens": (2000, 50, 0, None),
    }  # fmt: skip
    assert told.limits[0].shortfall == 150 * MILLI
    assert explanation(told)["limits"][0]["shortfall"] == "0.15"


def test_usage_that_nobody_reserved_is_told_with_what_it_met(limited: Books) -> None:
    limited.record_usage(model="m", input_tokens=100)
    receipt = limited.record_usage(model="m", input_tokens=950)
    told = limited.explain(receipt.usage_id)
    assert (told.verdict, told.code) == ("booked", "unreserved overrun")
    assert figures(told)["usd"] == (1000 * MILLI, 100 * MILLI, 0, 950 * MILLI)


def test_who_is_bound_is_told_of_its_own_calls_alone(limited: Books) -> None:
    call = allocated(limited, model="m", input_tokens=1, max_output_tokens=0, attributes=ANN)
    limited.allocate(model="m", input_tokens=5000, attributes=ANN)
    own, other = (
        limited.acting_as(Caller("key_1", manage=False, bound={"user": name}))
        for name in ("ann", "bob")
    )
    assert own.explain(call.allocation_id).limits == ()  # the budget is everybody's
    assert own.explain().verdict == "refused"
    for asked in (call.allocation_id, "last-refusal"):
        with pytest.raises(NotFound):
            other.explain(asked)


@pytest.mark.parametrize("id", ["", "alloc_1", "0", "\x00", "x" * 9999, "-1"])
def test_what_is_not_there_is_not_found(light: Books, id: str) -> None:
    with pytest.raises(NotFound):
        light.explain(id)


def test_limits_that_usage_of_another_model_has_met_are_told_with_that_usage(
    limited: Books, clock: Clock
) -> None:
    daily: Any = {"unit": "usd", "period": "daily", "limit": "1"}
    limited.create_budget(name="Of m", scope={"model": "m"}, policies=[daily])
    limited.record_usage(model="m", input_tokens=100)
    call = allocated(limited, tokens=500, usd="0.5", attributes=ANN)
    clock.move(MINUTE)
    used: dict[str, Any] = {"provider": "p", "model": "m", "output_tokens": 0}
    first = limited.record(call.allocation_id, input_tokens=200, **used)
    limited.settle(call.allocation_id, input_tokens=50, **used)
    told = limited.explain(call.allocation_id)
    beside = [one for one in told.limits if one.usage_id is not None]
    assert [(one.balance.budget, one.usage_id, one.requested) for one in beside] == [
        ("Of m", first.usage_id, 200 * MILLI)
    ]
    assert beside[0].balance.spent == 100 * MILLI
    assert len(told.limits) == 3
    assert [one["usage_id"] for one in explanation(told)["limits"]] == [None, None, first.usage_id]

"""What Tekton says beside the size of a hold: until when, for how much use, and of which budget."""

import json
from typing import Any

import pytest

from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import Clock, allocated, refused, us

HOLD: dict[str, Any] = {"context_id": "c", "component": "x", "tokens_allocated": 100}


def budget(books: Books, name: str, component: str) -> str:
    """A budget of one component; its id."""
    return books.create_budget(
        name=name, scope={"component": component},
        policies=[{"unit": "tokens", "period": "daily", "limit": 1000}],
    ).budget_id  # fmt: skip


def test_a_hold_lasts_to_its_expiration_time(light: Books, clock: Clock) -> None:
    held = allocated(light, **HOLD, expiration_time="2026-05-15T14:30:00+02:00")
    assert held.expires_us == us("2026-05-15 12:30")
    clock.now_us = us("2026-05-15 12:31")
    light.sweep()
    assert light.allocation(held.allocation_id).status == "expired"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"expiration_time": "2026-05-15T12:00:00Z"}, "must lie 1 to 86400 seconds ahead"),
        ({"expiration_time": "2026-05-14T12:30:00Z"}, "must lie 1 to 86400 seconds ahead"),
        ({"expiration_time": "2026-05-16T12:00:01Z"}, "must lie 1 to 86400 seconds ahead"),
        ({"expiration_time": "2026-05-15T12:30:00"}, "with its offset"),
        ({"expiration_time": "2026-05-15T12:30:00Z", "ttl_seconds": 60}, "give one of them"),
        ({"expected_tokens_used": -1}, "must not be negative"),
        ({"expected_tokens_used": "many"}, "whole number"),
        ({"budget_id": ""}, "must be 1 to 128"),
        ({"budget_id": "bud_none"}, "names no budget that counts such a call"),
    ],
)
def test_what_is_wrong_is_named(light: Books, given: dict[str, Any], message: str) -> None:
    error = refused(light.allocate, **HOLD, **given)
    assert error.field == next(iter(given))
    assert message in error.detail
    assert light.allocations().items == []


def test_what_is_expected_to_be_used_is_noted(light: Books) -> None:
    held = allocated(light, **HOLD, expected_tokens_used=60, metadata={"a": 1})
    assert held.reserved.tokens == 100
    assert json.loads(held.metadata) == {"a": 1, "expected_tokens_used": 60}


def test_a_hold_of_a_budget_is_one_that_the_budget_counts(books: Books) -> None:
    mine, theirs = budget(books, "Mine", "x"), budget(books, "Theirs", "y")
    held = allocated(books, **HOLD, budget_id=mine)
    assert {leg.policy.budget_id for leg in held.legs} == {mine}
    for act in (books.allocate, books.check):
        error = refused(act, **HOLD, budget_id=theirs)
        assert error.field == "budget_id"
    books.archive_budget(mine)
    refused(books.allocate, **HOLD, budget_id=mine)


def test_a_bound_key_learns_nothing_of_other_budgets(light: Books) -> None:
    theirs = budget(light, "Theirs", "y")
    bound = light.acting_as(Caller("key_x", bound={"component": "x"}))
    told = {refused(bound.allocate, **HOLD, budget_id=name).detail for name in (theirs, "bud_none")}
    assert len(told) == 1


def test_the_same_hold_told_again_is_the_same(light: Books, clock: Clock) -> None:
    asked: dict[str, Any] = {
        **HOLD, "expiration_time": "2026-05-15T12:30:00Z", "budget_id": budget(light, "Mine", "x"),
        "expected_tokens_used": 5, "idempotency_key": "k",
    }  # fmt: skip
    first = allocated(light, **asked)
    clock.now_us += 60_000_000
    again = allocated(light, **asked)
    assert (again.allocation_id, again.replayed) == (first.allocation_id, True)
    assert again.expires_us == us("2026-05-15 12:30")

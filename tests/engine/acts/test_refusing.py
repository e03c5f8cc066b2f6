"""Refusing: who is named, what is counted, and when holds that are due make room first."""

from typing import Any

import pytest

from budget.domain.answers import Allocation, Refusal
from budget.engine import writer
from budget.engine.budget import Budget as Books
from tests.engine.opened import SECOND, Clock, allocated, told


def policies(*units: str, limit: object = 10) -> Any:
    return [{"unit": unit, "period": "daily", "limit": limit} for unit in units]


def refusal(books: Books, **ask: Any) -> Refusal:
    answer = books.allocate(**ask)
    assert isinstance(answer, Refusal)
    return answer


def test_every_budget_that_refuses_a_model_without_a_price_is_named(books: Books) -> None:
    books.create_budget(name="A", policies=policies("usd", "tokens"))
    books.create_budget(name="B", policies=policies("usd"))
    books.create_budget(name="C", policies=policies("tokens"), unpriced="refuse")
    books.create_budget(name="D", policies=policies("tokens"))
    told_by = refusal(books, model="unheard-of", tokens=1)
    assert told_by.code == "model_unpriced"
    named = sorted((line.balance.budget, line.balance.policy.unit) for line in told_by.lines)
    assert named == [("A", "usd"), ("B", "usd"), ("C", "tokens")]


def test_a_refusal_of_a_model_without_a_price_is_counted_and_raises_no_limit(
    books: Books, clock: Clock
) -> None:
    books.create_budget(name="A", policies=policies("usd"))
    for _ in range(3):
        refusal(books, model="unheard-of", tokens=1)
    clock.move(SECOND)
    refusal(books, model="unheard-of", tokens=1)
    counted = told(books, "refused")
    assert [(one["code"], one["model"], one["count"]) for one in counted] == [
        ("model_unpriced", "unheard-of", 1), ("model_unpriced", "unheard-of", 3),
    ]  # fmt: skip


def test_calls_that_an_empty_envelope_refuses_are_counted(books: Books, clock: Clock) -> None:
    run = allocated(books, envelope=True, tokens=10).allocation_id
    for _ in range(2):
        assert refusal(books, parent_id=run, tokens=11).code == "envelope_exhausted"
    clock.move(SECOND)
    refusal(books, parent_id=run, tokens=12)
    counted = told(books, "refused")
    assert [(one["parent_id"], one["shortfall"], one["count"]) for one in counted] == [
        (run, 1, 1), (run, 2, 2),
    ]  # fmt: skip


def test_a_check_is_not_counted(books: Books) -> None:
    books.create_budget(name="A", policies=policies("usd", limit="0"))
    run = allocated(books, envelope=True, usd="0").allocation_id
    assert isinstance(books.check(model="unheard-of", tokens=1), Refusal)
    assert isinstance(books.check(usd="1"), Refusal)
    assert isinstance(books.check(parent_id=run, usd="1"), Refusal)
    assert told(books, "refused") == []


def test_a_hold_in_the_way_is_swept_however_many_others_are_due(
    books: Books, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SWEEP_BATCH", 3)
    mine: Any = [{**policies("tokens")[0], "on_expiry": "release"}]
    books.create_budget(name="Mine", scope={"org": "mine"}, policies=mine)
    for _ in range(10):
        allocated(books, tokens=1, attributes={"org": "other"}, ttl_seconds=1)
    allocated(books, tokens=10, attributes={"org": "mine"}, ttl_seconds=2)  # the last one due
    clock.move(2 * SECOND)
    assert isinstance(books.allocate(tokens=10, attributes={"org": "mine"}), Allocation)


def test_the_time_of_a_reset_knows_of_top_ups_that_still_count_then(
    books: Books, clock: Clock
) -> None:
    made = books.create_budget(name="A", policies=policies("tokens"))
    books.top_up(made.policies[0].policy_id, amount=20, until="2026-12-01T00:00:00Z", reason="more")
    allocated(books, tokens=15)
    (line,) = refusal(books, tokens=25).lines
    assert line.resets_us is not None
    assert refusal(books, tokens=31).lines[0].resets_us is None
    clock.now_us = line.resets_us
    allocated(books, tokens=25)


def test_a_rolling_limit_that_was_raised_admits_in_time_what_the_raise_allows(
    books: Books, clock: Clock
) -> None:
    rolling: Any = {"unit": "tokens", "period": "rolling:10m", "limit": 10}
    made = books.create_budget(name="A", policies=[rolling])
    books.top_up(made.policies[0].policy_id, amount=20, until="2026-12-01T00:00:00Z", reason="more")
    books.record_usage(input_tokens=15, output_tokens=0)
    (line,) = refusal(books, tokens=25).lines
    assert line.resets_us is not None
    clock.now_us = line.resets_us
    allocated(books, tokens=25)

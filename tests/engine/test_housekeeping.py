"""Housekeeping: old keys go, the clock guard pauses expiry, refusals are sampled."""

import sqlite3

import pytest

from budget.domain.answers import Allocation, Refusal
from budget.domain.errors import Forbidden
from budget.domain.pricing import Rates
from budget.engine.budget import Budget
from budget.engine.callers import Caller
from budget.engine.housekeeping import ClockGuard
from budget.prices.book import PriceBook

DAY_US = 86_400_000_000
START_US = 1_790_000_000_000_000
PRICES = PriceBook(None, overrides={("p", "m"): Rates(1_000_000, 2_000_000)})


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us


def test_keys_are_forgotten_after_thirty_days_and_not_before(sqlite_url: str) -> None:
    clock = Clock()
    path = sqlite_url.removeprefix("sqlite:///")

    def stored() -> list[str]:
        connection = sqlite3.connect(path)
        found = [key for (key,) in connection.execute("SELECT key FROM keys ORDER BY key")]
        connection.close()
        return found

    with Budget.open(sqlite_url, clock=clock, prices=PRICES) as budget:
        budget.allocate(usd="1", idempotency_key="old")
        clock.now_us += 29 * DAY_US
        budget.allocate(usd="1", idempotency_key="young")
    with Budget.open(sqlite_url, clock=clock, prices=PRICES) as budget:
        budget.allocate(usd="1")  # the first batch of a process sweeps and prunes
        assert stored() == ["old", "young"]
    clock.now_us += DAY_US + 1
    with Budget.open(sqlite_url, clock=clock, prices=PRICES) as budget:
        budget.allocate(usd="1")
        assert stored() == ["young"]


def test_a_jump_of_the_clock_pauses_expiry_until_it_is_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = 100.0
    monkeypatch.setattr("time.monotonic", lambda: seconds)
    guard = ClockGuard()
    assert guard.expiry_runs(START_US)
    seconds += 10
    assert guard.expiry_runs(START_US + 10_000_000)  # in step
    assert not guard.expiry_runs(START_US + 10_000_000 + 5 * 60_000_000 + 1)
    guard.confirm()
    assert guard.expiry_runs(START_US + 10_000_000 + 5 * 60_000_000 + 1)


def test_confirming_the_clock_lets_holds_expire_at_once_and_is_in_the_journal(
    sqlite_url: str,
) -> None:
    clock = Clock()
    with Budget.open(sqlite_url, clock=clock, prices=PRICES, sweep=False) as budget:
        budget.allocate(usd="1")
        clock.now_us += 3_600_000_000  # an hour, while the process's own clock stood still
        budget.allocate(usd="1")
        guard = budget.books.ledger.clock_guard
        assert guard.paused is True
        assert budget.confirm_clock() == (clock.now_us, True)
        assert guard.expiry_runs(clock.now_us)
        assert not budget.confirm_clock().was_paused
        entries = [one for one in budget.events().items if one.kind == "clock_confirmed"]
        assert [one.detail for one in entries] == ['{"was_paused":true}', '{"was_paused":false}']
        assert budget.verify().clean


def test_a_jump_that_no_batch_has_seen_yet_is_confirmed_too(sqlite_url: str) -> None:
    clock = Clock()
    with Budget.open(sqlite_url, clock=clock, prices=PRICES, sweep=False) as budget:
        budget.allocate(usd="1")
        clock.now_us += 3_600_000_000
        assert budget.confirm_clock().was_paused
        budget.allocate(usd="1")
        assert not budget.books.ledger.clock_guard.paused


def test_the_clock_is_confirmed_by_who_has_every_right_alone(sqlite_url: str) -> None:
    with Budget.open(sqlite_url, clock=Clock(), prices=PRICES, sweep=False) as budget:
        for caller in (
            Caller("key_a"),
            Caller("key_b", manage=True),
            Caller("key_c", manage=True, bound={"team": "search"}, admin=True),
        ):
            with pytest.raises(Forbidden):
                budget.acting_as(caller).confirm_clock()
        assert not budget.events().items


def test_expiry_resumes_after_five_steady_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 100.0
    monkeypatch.setattr("time.monotonic", lambda: seconds)
    guard = ClockGuard()
    guard.expiry_runs(START_US)
    jumped_us = START_US + 3_600_000_000
    assert not guard.expiry_runs(jumped_us)
    seconds += 299
    assert not guard.expiry_runs(jumped_us + 299_000_000)
    seconds += 1
    assert guard.expiry_runs(jumped_us + 300_000_000)


def test_refusals_are_told_once_a_second_with_their_count(sqlite_url: str) -> None:
    clock = Clock()
    with Budget.open(sqlite_url, clock=clock, prices=PRICES, sweep=False) as budget:
        made = budget.create_budget(
            name="small", policies=[{"unit": "usd", "period": "daily", "limit": "1"}]
        )
        policy_id = made.policies[0].policy_id
        for _ in range(5):
            assert isinstance(budget.allocate(usd="2"), Refusal)
        first = [event for event in budget.events().items if event.kind == "refused"]
        assert [event.policy_id for event in first] == [policy_id]
        assert '"count":1' in first[0].detail
        clock.now_us += 1_000_000
        assert isinstance(budget.allocate(usd="2"), Refusal)
        second = [event for event in budget.events().items if event.kind == "refused"][1:]
        assert len(second) == 1
        assert '"count":5' in second[0].detail  # four untold ones, and this
        assert isinstance(budget.allocate(usd="1"), Allocation)

"""What a replay came to: verdicts worked out by hand from small tallies."""

from typing import Any

import pytest

from budget.cli.driver import Refused, Tally
from budget.cli.outcome import as_json, judge, nine_places, percentile_ms
from budget.domain.shapes import BalanceShape


def balance(**changes: Any) -> BalanceShape:
    """A hard balance of 10 USD with 4 spent."""
    made: Any = {
        "budget_id": "bdg_1",
        "budget": "Team",
        "policy_id": "pol_1",
        "partition": {},
        "unit": "usd",
        "period": "monthly",
        "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"},
        "limit": "10.00",
        "spent": "4.00",
        "reserved": "0.00",
        "assumed": "0.00",
        "remaining": "6.00",
        "enforcement": "hard_limit",
        "warning_threshold": "0.8",
        "action_threshold": "0.95",
        "overrun": "0.00",
        "used_fraction": "0.4",
        "resets_at": "2026-02-01T00:00:00Z",
    }
    made.update(changes)
    shape: BalanceShape = made
    return shape


def tally(**changes: Any) -> Tally:
    """One call of 4 USD, admitted and settled, with 6 USD left after it."""
    made: dict[str, Any] = {
        "admitted": 1,
        "settled": 1,
        "true_nanos": 4_000_000_000,
        "booked_nanos": 4_000_000_000,
        "seconds": 0.5,
        "beyond": {("pol_1", "{}"): -6_000_000_000},
    }
    return Tally(**{**made, **changes})


RECORDS = [{"cost": "4.00"}]


def test_books_that_hold_what_was_spent_agree() -> None:
    outcome = judge(tally(), [balance()], RECORDS)
    assert outcome.agrees
    assert not outcome.overshoots
    assert outcome.books_nanos == 4_000_000_000


@pytest.mark.parametrize(
    ("ours", "records"),
    [
        (tally(), [{"cost": "4.000000001"}]),
        (tally(), [{"cost": "4.00"}, {"cost": "0.00"}]),
        (tally(), []),
        (tally(), [{"cost": None}]),
        (tally(booked_nanos=3_999_999_999), RECORDS),
        (tally(true_nanos=4_000_000_001), RECORDS),
        (tally(differing=[(2, 1, None)]), RECORDS),
    ],
)
def test_one_nano_or_one_record_more_or_less_is_a_disagreement(
    ours: Tally, records: list[dict[str, Any]]
) -> None:
    assert not judge(ours, [balance()], records).agrees


def test_a_settling_that_was_not_answered_is_not_held_against_the_books() -> None:
    unsure = tally(unanswered_ids={"r.7": None})
    known = {"allocation_id": "r.6", "cost": "4.00"}
    for records in ([known], [known, {"allocation_id": "r.7", "cost": "1.00"}]):
        outcome = judge(unsure, [balance()], records)
        assert outcome.agrees
        assert outcome.books_nanos == 4_000_000_000


def test_an_admission_beyond_a_hard_limit_is_an_overshoot_even_if_room_returned_later() -> None:
    outcome = judge(tally(beyond={("pol_1", "{}"): 1}), [balance()], RECORDS)
    assert outcome.overshoots
    assert outcome.policies[0].overshoot == 1


def test_a_limit_that_only_warns_may_be_exceeded() -> None:
    soft = balance(enforcement="warn", spent="12.00")
    outcome = judge(tally(beyond={("pol_1", "{}"): 2_000_000_000}), [soft], RECORDS)
    assert not outcome.overshoots


def test_what_lies_beyond_the_limit_as_overrun_is_explained_and_the_rest_is_not() -> None:
    # 12 spent of 10: 2 beyond, of which 1.5 is overrun.
    explained = balance(spent="12.00", overrun="2.00")
    assert not judge(tally(), [explained], RECORDS).overshoots
    partly = balance(spent="12.00", overrun="1.50")
    assert judge(tally(), [partly], RECORDS).policies[0].overshoot == 500_000_000


def test_a_balance_that_several_services_meet_is_shown_once() -> None:
    outcome = judge(tally(), [balance(), balance()], RECORDS)
    assert len(outcome.policies) == 1


def test_refused_calls_are_counted_by_policy() -> None:
    refused = tally(refused=3, refusals={"pol_1": Refused(7, {"detail": "no"}, 3)})
    outcome = judge(refused, [balance(), balance(policy_id="pol_2")], RECORDS)
    assert [policy.refused for policy in outcome.policies] == [3, 0]


def test_percentiles_of_a_hundred_measurements() -> None:
    took = [number / 1000 for number in range(1, 101)]
    assert percentile_ms(took, 0.50) == pytest.approx(51)
    assert percentile_ms(took, 0.99) == pytest.approx(100)
    assert percentile_ms([], 0.5) is None


def test_money_is_written_with_all_nine_places() -> None:
    assert nine_places(8_033_474_400) == "8.033474400"
    assert nine_places(1) == "0.000000001"


def test_without_the_books_the_json_has_what_was_seen_and_no_verdict() -> None:
    written = as_json(tally(), None, "s1", interrupted=True, error="It is gone.")
    assert (written["admitted"], written["settled"], written["policies"]) == (1, 1, [])
    assert written["cost"]["true"] == "4.000000000"
    assert written["cost"]["agrees"] is None
    assert written["error"] == "It is gone."


def test_the_json_of_an_outcome_has_the_verdicts_and_the_numbers_of_each_policy() -> None:
    ours = tally(refused=1, refusals={"pol_1": Refused(7, {"requested": "7.00"}, 1)})
    written = as_json(ours, judge(ours, [balance()], RECORDS), "s1", interrupted=False)
    assert written["calls"] == 2
    assert written["calls_per_second"] == 4.0
    assert written["cost"]["true"] == written["cost"]["books"] == "4.000000000"
    assert written["cost"]["agrees"] is True
    assert written["policies"][0]["refused_calls"] == 1
    assert written["policies"][0]["overshoot"] == "0.000000000"
    assert written["first_refusals"] == [{"line": 7, "calls": 1, "requested": "7.00"}]

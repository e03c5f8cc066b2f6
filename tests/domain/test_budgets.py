"""Policies and budgets as values: what is read, what is refused, limits over time, top-ups."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from budget.domain.budgets import (
    Budget,
    Policy,
    TopUp,
    budget_to_json,
    partition_by,
    policy_to_json,
)
from budget.domain.policy_terms import (
    parse_policy,
    parse_unpriced,
)
from budget.domain.windows import MAX_US, Calendar, Window, parse_period

USD = 10**9
DAY = 86_400_000_000
HOUR = 3_600_000_000


def a_policy(per: tuple[str, ...] = (), **given: Any) -> Policy:
    merged = {"unit": "usd", "period": "monthly", "limit": "10", **given}
    return parse_policy(merged, policy_id="pol_1", budget_id="bud_1", per=per, now_us=5)


def a_top_up(amount: int, at_us: int, until_us: int, partition: str | None = None) -> TopUp:
    return TopUp("top_1", "pol_1", partition, amount, at_us, until_us, "local", "why")


def test_a_call_leaves_free_the_largest_share_above_its_priority() -> None:
    policy = a_policy(limit="100", reserved_for_priority={"8": "10%", "10": "5%"})
    assert policy.headroom(5) == 10 * USD
    assert policy.headroom(7) == 10 * USD
    assert policy.headroom(8) == 5 * USD
    assert policy.headroom(9) == 5 * USD
    assert policy.headroom(10) == 0
    # 5% of 7 requests are 0.35: what is kept is rounded up.
    few = a_policy(unit="requests", limit=7, reserved_for_priority={"10": "5%"})
    assert few.headroom(5) == 1


def test_a_session_policy_splits_by_session_too() -> None:
    session, month = Calendar(parse_period("per_session")), Calendar(parse_period("monthly"))
    assert partition_by(("user",), session) == ("session", "user")
    assert partition_by(("session",), session) == ("session",)
    assert partition_by((), Calendar(parse_period("per_task"))) == ("task",)
    assert partition_by(("user",), month) == ("user",)


# --- writing -------------------------------------------------------------------------------------


def test_a_policy_is_written_as_a_user_writes_it() -> None:
    policy = a_policy(
        limit=Decimal("12.5"),
        enforcement="enforce",
        reset_day="last",
        timezone="Europe/Berlin",
        rollover="unused",
        warning_threshold="0.5",
        reserved_for_priority={"8": "10%", "10": "0.25%"},
    )
    assert policy_to_json(policy) == {
        "unit": "usd",
        "period": "monthly",
        "limit": "12.50",
        "enforcement": "hard_limit",
        "warning_threshold": "0.5",
        "action_threshold": "0.95",
        "timezone": "Europe/Berlin",
        "reset_day": "last",
        "on_expiry": "assume",
        "rollover": "unused",
        "reserved_for_priority": {"8": "10%", "10": "0.25%"},
    }
    assert "reset_day" not in policy_to_json(a_policy(period="daily"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"limit": "0.000000001", "warning_threshold": "0.0001", "action_threshold": "1"},
        {"unit": "requests", "limit": 3, "period": "rolling:090s", "enforcement": "log"},
        {"period": "weekly", "timezone": "Asia/Kathmandu", "on_expiry": "release"},
        {"reset_day": 28, "reserved_for_priority": {"8": "33.33%", "9": "100%", "10": "0%"}},
    ],
)
def test_a_policy_that_was_written_is_read_as_the_same(given: dict[str, Any]) -> None:
    assert a_policy(**policy_to_json(a_policy(**given))) == a_policy(**given)


def test_a_budget_is_written_as_a_user_writes_it() -> None:
    budget = Budget(
        "bud_1", "Team", (), ("user",), 0, 0,
        unpriced=parse_unpriced({"input": "0.15", "output": "1234.5"}), metadata={"a": 1},
    )  # fmt: skip
    assert budget_to_json(budget) == {
        "name": "Team",
        "description": "",
        "owner": "",
        "scope": {},
        "per": ["user"],
        "unpriced": {"input": "0.15", "output": "1234.50"},
        "metadata": {"a": 1},
        "degrade": [],
    }


# --- what a policy knows -------------------------------------------------------------------------


def test_an_envelope_is_held_on_every_period_but_minutes_and_rolling_ones() -> None:
    assert not a_policy(period="minute").holds_envelopes
    assert not a_policy(period="rolling:30d").holds_envelopes
    assert all(a_policy(period=p).holds_envelopes for p in ("hourly", "total", "per_session"))


def test_a_limit_is_looked_up_in_its_history() -> None:
    policy = replace(a_policy(), limit=30, limits=((100, 10), (200, 20), (300, 30)))
    assert [policy.limit_at(at) for at in (50, 100, 199, 200, 299, 300, 10**18)] == [
        10, 10, 10, 20, 20, 30, 30,
    ]  # fmt: skip


def test_of_two_limits_of_the_same_instant_the_later_one_counts() -> None:
    assert replace(a_policy(), limits=((100, 10), (100, 20))).limit_at(100) == 20


def test_a_session_policy_has_a_day_where_there_is_no_session() -> None:
    policy = a_policy(period="per_session", timezone="Asia/Kolkata")
    assert policy.window_of('{"session":"s"}', 50 * DAY) == Window(0, MAX_US)
    # Midnight in Kolkata is 18:30 UTC of the day before.
    start_us = 50 * DAY - 19_800_000_000
    assert policy.window_of('{"session":null}', 50 * DAY) == Window(start_us, start_us + DAY)


def test_a_session_whose_name_looks_like_a_missing_one_is_a_session() -> None:
    policy = a_policy(period="per_session")
    named = policy.window_of('{"session":"\\"session\\":null"}', 50 * DAY)
    assert named == Window(0, MAX_US)


def test_a_budget_that_is_archived_has_no_policies_in_force() -> None:
    live, gone = a_policy(), replace(a_policy(), policy_id="pol_2", archived_us=9)
    budget = Budget("bud_1", "b", (), (), 0, 0, policies=(live, gone))
    assert budget.live_policies == (live,)
    assert replace(budget, archived_us=10).live_policies == ()


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({}, "refuse"),
        ({"enforcement": "soft_limit"}, "allow"),
        ({"unit": "tokens", "limit": 5}, "allow"),
    ],
)
def test_a_hard_money_limit_refuses_unpriced_models_unless_told(
    given: dict[str, Any], rule: str
) -> None:
    budget = Budget("bud_1", "b", (), (), 0, 0, policies=(a_policy(**given),))
    assert budget.unpriced_rule == rule
    assert replace(budget, unpriced="allow").unpriced_rule == "allow"
    assert replace(budget, unpriced="refuse").unpriced_rule == "refuse"


# --- top-ups -------------------------------------------------------------------------------------


def test_a_top_up_without_a_date_counts_in_the_window_it_was_given_in() -> None:
    policy = replace(a_policy(period="daily"), top_ups=(a_top_up(7, DAY + 5, DAY + 6),))
    day = [Window(n * DAY, (n + 1) * DAY) for n in range(3)]
    assert [policy.topped_up("{}", window, window.start_us) for window in day] == [0, 7, 0]


def test_a_top_up_with_a_date_counts_to_the_end_of_every_window_that_starts_before_it() -> None:
    # Given on day 1, until noon of day 3: days 1, 2 and the whole of 3.
    policy = replace(a_policy(period="daily"), top_ups=(a_top_up(7, DAY + 5, 3 * DAY + 12 * HOUR),))
    day = [Window(n * DAY, (n + 1) * DAY) for n in range(5)]
    assert [policy.topped_up("{}", window, window.end_us - 1) for window in day] == [0, 7, 7, 7, 0]


def test_a_top_up_until_the_start_of_a_window_does_not_count_in_it() -> None:
    policy = replace(a_policy(period="daily"), top_ups=(a_top_up(7, 5, DAY),))
    assert policy.topped_up("{}", Window(DAY, 2 * DAY), DAY) == 0


def test_on_a_rolling_policy_a_top_up_counts_until_its_instant() -> None:
    policy = replace(a_policy(period="rolling:1h"), top_ups=(a_top_up(7, 100, 200),))
    anything = Window(0, 0)
    assert [policy.topped_up("{}", anything, at) for at in (99, 100, 199, 200)] == [0, 7, 7, 0]


def test_a_top_up_raises_one_partition_or_all() -> None:
    one, all_ = a_top_up(7, 5, 6, '{"user":"u"}'), a_top_up(100, 5, 6)
    policy = replace(a_policy(("user",), period="total"), top_ups=(one, all_))
    always = Window(0, MAX_US)
    assert policy.topped_up('{"user":"u"}', always, 5) == 107
    assert policy.topped_up('{"user":"v"}', always, 5) == 100
    assert policy.topped_up('{"user":null}', always, 5) == 100

"""Policies and budgets as values: what is read, what is refused, limits over time, top-ups."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from budget.domain.budgets import (
    ENFORCEMENTS,
    UNITS,
    Budget,
    Policy,
    TopUp,
    budget_to_json,
    partition_by,
    policy_to_json,
)
from budget.domain.errors import InvalidInput
from budget.domain.policy_terms import (
    ENFORCEMENT_ALIASES,
    POLICY_FIELDS,
    parse_enforcement,
    parse_headroom,
    parse_policy,
    parse_thresholds,
    parse_unpriced,
)
from budget.domain.pricing import Rates
from budget.domain.windows import MAX_US, Calendar, Window, parse_period

USD = 10**9
DAY = 86_400_000_000
HOUR = 3_600_000_000


def a_policy(per: tuple[str, ...] = (), **given: Any) -> Policy:
    merged = {"unit": "usd", "period": "monthly", "limit": "10", **given}
    return parse_policy(merged, policy_id="pol_1", budget_id="bud_1", per=per, now_us=5)


def a_top_up(amount: int, at_us: int, until_us: int, partition: str | None = None) -> TopUp:
    return TopUp("top_1", "pol_1", partition, amount, at_us, until_us, "local", "why")


def field_refused(path: str = "", **given: Any) -> InvalidInput:
    merged = {"unit": "usd", "period": "monthly", "limit": "10", **given}
    with pytest.raises(InvalidInput) as caught:
        parse_policy(merged, policy_id="p", budget_id="b", per=(), now_us=0, path=path)
    return caught.value


# --- reading -------------------------------------------------------------------------------------


def test_a_policy_needs_a_unit_a_period_and_a_limit_and_has_defaults_for_the_rest() -> None:
    policy = a_policy()
    assert (policy.unit, policy.calendar, policy.limit) == (
        "usd",
        Calendar(parse_period("monthly"), "UTC", 1),
        10 * USD,
    )
    assert policy.enforcement == "hard_limit"
    assert (policy.warning_bps, policy.action_bps) == (8000, 9500)
    assert (policy.rollover, policy.on_expiry, policy.reserved_for_priority) == (
        False,
        "assume",
        (),
    )
    assert policy.limits == ((5, 10 * USD),)


@pytest.mark.parametrize("name", ["unit", "period", "limit"])
def test_what_a_policy_needs_is_named_when_it_is_missing(name: str) -> None:
    assert field_refused("policies[2].", **{name: None}).field == f"policies[2].{name}"


def test_null_is_as_if_left_out() -> None:
    optional = [name for name in POLICY_FIELDS if name not in ("unit", "period", "limit")]
    nothing: dict[str, Any] = dict.fromkeys(optional)
    assert a_policy(**nothing) == a_policy()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unit", "euro"), ("unit", 5), ("unit", ["usd"]),
        ("period", "fortnightly"), ("period", "rolling:0s"), ("period", 7),
        ("limit", "-1"), ("limit", 1.5), ("limit", "1e3"), ("limit", "NaN"),
        ("limit", Decimal("Infinity")), ("limit", "1000000000.000000001"), ("limit", True),
        ("limit", "0.0000000001"), ("limit", ""), ("limit", []),
        ("enforcement", "hard"), ("enforcement", 1), ("enforcement", ""),
        ("warning_threshold", 0.8), ("warning_threshold", "1.1"), ("warning_threshold", "80%"),
        ("action_threshold", "-0.1"), ("action_threshold", "0.12345"),
        ("timezone", "Europe/Atlantis"), ("timezone", "+01:00"), ("timezone", 0),
        ("reset_day", 0), ("reset_day", 29), ("reset_day", "first"), ("reset_day", True),
        ("on_expiry", "forget"), ("on_expiry", False),
        ("rollover", "all"), ("rollover", True),
        ("reserved_for_priority", {"1": "10%"}), ("reserved_for_priority", {"11": "10%"}),
        ("reserved_for_priority", ["10%"]),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(name: str, value: Any) -> None:
    assert field_refused(**{name: value}).field == name


def test_a_bad_share_is_named_with_its_priority() -> None:
    assert field_refused(reserved_for_priority={"8": "101%"}).field == "reserved_for_priority.8"
    assert field_refused(reserved_for_priority={"8": 10}).field == "reserved_for_priority.8"


def test_what_may_be_given_is_listed() -> None:
    assert field_refused(unit="euro").allowed == UNITS
    assert field_refused(enforcement="hard").allowed == (*ENFORCEMENTS, *ENFORCEMENT_ALIASES)
    assert field_refused(limits="1").allowed == POLICY_FIELDS
    assert field_refused("policies[0].", limits="1").field == "policies[0].limits"
    assert "rolling:<n>m" in field_refused(period="fortnightly").allowed


def test_a_policy_is_an_object() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_policy("10 USD", policy_id="p", budget_id="b", per=(), now_us=0, path="policies[1].")
    assert caught.value.field == "policies[1]"


@pytest.mark.parametrize(
    ("alias", "meant"),
    [
        ("enforce", "hard_limit"),
        ("block", "hard_limit"),
        ("downgrade", "soft_limit"),
        ("log", "ignore"),
        ("warning", "warn"),
        ("ignore", "ignore"),
        ("warn", "warn"),
        ("soft_limit", "soft_limit"),
        ("hard_limit", "hard_limit"),
    ],
)
def test_enforcement_has_other_names_on_input(alias: str, meant: str) -> None:
    assert parse_enforcement(alias, "enforcement") == meant
    assert a_policy(enforcement=alias).enforcement == meant


def test_a_hold_that_expires_is_assumed_under_a_hard_limit_and_returns_elsewhere() -> None:
    assert a_policy(enforcement="block").on_expiry == "assume"
    assert a_policy(enforcement="soft_limit").on_expiry == "release"
    assert a_policy(enforcement="warn").on_expiry == "release"
    assert a_policy(enforcement="hard_limit", on_expiry="release").on_expiry == "release"
    assert a_policy(enforcement="ignore", on_expiry="assume").on_expiry == "assume"


def test_a_limit_is_money_or_a_count_as_its_unit_says() -> None:
    assert a_policy(limit="0.000000001").limit == 1
    assert a_policy(limit=0).limit == 0
    assert a_policy(limit="1000000000").limit == 10**18
    assert a_policy(unit="tokens", limit=10**18).limit == 10**18
    assert field_refused(unit="tokens", limit=10**18 + 1).field == "limit"
    assert field_refused(unit="requests", limit="5").field == "limit"
    assert field_refused(unit="requests", limit=Decimal("1.5")).field == "limit"


@pytest.mark.parametrize("period", ["total", "per_session", "per_task", "rolling:1h"])
def test_nothing_rolls_over_where_no_window_follows_another(period: str) -> None:
    assert field_refused(period=period, rollover="unused").field == "rollover"
    assert not a_policy(period=period, rollover="none").rollover
    assert a_policy(period="daily", rollover="unused").rollover


@pytest.mark.parametrize(
    "period", ["daily", "weekly", "quarterly", "yearly", "total", "rolling:1h"]
)
def test_only_a_monthly_policy_has_a_reset_day(period: str) -> None:
    assert field_refused(period=period, reset_day=5).field == "reset_day"
    assert a_policy(period="monthly", reset_day="last").calendar.reset_day == "last"


@pytest.mark.parametrize(
    ("warning", "action", "expected"),
    [
        (None, None, (8000, 9500)),
        ("0.5", None, (5000, 9500)),
        ("0.99", None, (9900, 9900)),
        (None, "0.5", (5000, 5000)),
        (None, "1", (8000, 10_000)),
        ("0.9", "0.9", (9000, 9000)),
        (0, Decimal("0.0001"), (0, 1)),
    ],
)
def test_the_threshold_that_is_not_given_gives_way(
    warning: object, action: object, expected: tuple[int, int]
) -> None:
    assert parse_thresholds(warning, action, "") == expected


def test_a_warning_after_the_action_is_refused() -> None:
    error = field_refused("policies[0].", warning_threshold="0.9", action_threshold="0.8")
    assert error.field == "policies[0].warning_threshold"


def test_headroom_is_kept_for_priorities_by_share() -> None:
    assert parse_headroom({"10": "5%", 8: "12.5%"}, "r") == ((8, 1250), (10, 500))


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


def test_the_rule_for_unpriced_models_is_a_word_or_two_prices() -> None:
    assert parse_unpriced(None) is None
    assert parse_unpriced("refuse") == "refuse"
    assert parse_unpriced("allow") == "allow"
    # 1 USD for a million tokens is a millionth of a dollar, or 1e6 pico-USD, for one.
    assert parse_unpriced({"input": "1", "output": "2.5"}) == Rates(
        1_000_000, 2_500_000, basis="budget/unpriced"
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("deny", "unpriced"),
        (5, "unpriced"),
        ({"input": "1"}, "unpriced"),
        ({"input": "1", "output": "1", "cached": "1"}, "unpriced"),
        ({"input": "-1", "output": "1"}, "unpriced.input"),
        ({"input": "1", "output": "0.0000001"}, "unpriced.output"),
        ({"input": "1", "output": None}, "unpriced.output"),
    ],
)
def test_a_bad_rule_for_unpriced_models_names_its_field(given: object, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_unpriced(given)
    assert caught.value.field == field


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

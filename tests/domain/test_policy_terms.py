"""Policies as callers write them: what is read, what is refused, and which field is named."""

from decimal import Decimal
from typing import Any

import pytest

from budget.domain.budgets import ENFORCEMENTS, UNITS, Policy
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
from budget.domain.windows import Calendar, parse_period

USD = 10**9


def a_policy(per: tuple[str, ...] = (), **given: Any) -> Policy:
    merged = {"unit": "usd", "period": "monthly", "limit": "10", **given}
    return parse_policy(merged, policy_id="pol_1", budget_id="bud_1", per=per, now_us=5)


def field_refused(path: str = "", **given: Any) -> InvalidInput:
    merged = {"unit": "usd", "period": "monthly", "limit": "10", **given}
    with pytest.raises(InvalidInput) as caught:
        parse_policy(merged, policy_id="p", budget_id="b", per=(), now_us=0, path=path)
    return caught.value


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

"""Limits of LiteLLM in our terms: periods, figures and rates, and what has no counterpart."""

from decimal import Decimal
from typing import Any

import pytest

from budget.engine.importing.proxy.limits import limits_of, period_of


@pytest.mark.parametrize(
    ("duration", "period"),
    [
        (None, "total"), ("1d", "daily"), ("24h", "daily"), ("7d", "weekly"), ("30d", "monthly"),
        ("1mo", "monthly"), ("monthly", "monthly"), ("1h", "hourly"), ("60s", "minute"),
        ("30s", "rolling:30s"), ("2w", "rolling:14d"), ("2mo", "rolling:60d"),
        ("12h", "rolling:12h"),
    ],
)  # fmt: skip
def test_durations_are_calendar_periods_where_litellm_resets_so_else_rolling(
    duration: str | None, period: str
) -> None:
    found, note = period_of(duration)
    assert found == period
    assert (note is not None) == found.startswith("rolling")


@pytest.mark.parametrize("duration", ["soon", "0d", "1y", "d", "-1d", "1.5h"])
def test_what_is_no_duration_is_told(duration: str) -> None:
    with pytest.raises(ValueError, match="budget_duration"):
        period_of(duration)


def policies(**row: Any) -> list[dict[str, Any]]:
    return [dict(limit.policy) for limit in limits_of(row)[0]]


def test_money_stays_exact_and_may_be_more_than_one_record_may_cost() -> None:
    (policy,) = policies(max_budget=12_345_678.9, budget_duration="30d")
    assert policy == {
        "unit": "usd", "period": "monthly", "limit": "12345678.90",
        "enforcement": "hard_limit",
    }  # fmt: skip
    assert policies(max_budget=Decimal("0.1"))[0]["limit"] == "0.10"


def test_a_soft_budget_is_the_threshold_of_a_hard_one_or_a_limit_that_warns() -> None:
    assert policies(max_budget=10, soft_budget=7)[0]["warning_threshold"] == "0.7000"
    assert policies(max_budget=10, soft_budget=10)[0]["warning_threshold"] == "0.9400"
    assert policies(soft_budget=7)[0]["enforcement"] == "warn"


def test_rates_are_limits_of_a_minute_and_of_a_day() -> None:
    told = policies(tpm_limit=1000, rpm_limit=0, tpd_limit=5000)
    assert [(one["unit"], one["period"], one["limit"]) for one in told] == [
        ("tokens", "minute", 1000), ("requests", "minute", 0), ("tokens", "daily", 5000),
    ]  # fmt: skip


def test_limits_of_models_are_told_apart_in_each_of_their_spellings() -> None:
    limits, _ = limits_of({"model_max_budget": {
        "a": 1, "b": {"max_budget": 2, "budget_duration": "1d", "rpm_limit": 3},
        "c": {"budget_limit": "0.5", "time_period": "7d"},
    }})  # fmt: skip
    assert [(one.model, one.policy["unit"], one.policy["period"]) for one in limits] == [
        ("a", "usd", "total"), ("b", "usd", "daily"), ("b", "requests", "minute"),
        ("c", "usd", "weekly"),
    ]  # fmt: skip


def test_rates_of_models_are_read_of_columns_and_of_metadata() -> None:
    limits, _ = limits_of({"model_rpm_limit": {"a": 5}, "metadata": {
        "model_tpm_limit": {"b": 7}, "model_rpm_limit": None}})  # fmt: skip
    assert [(one.model, one.policy["unit"], one.policy["limit"]) for one in limits] == [
        ("a", "requests", 5), ("b", "tokens", 7),
    ]  # fmt: skip


def test_who_is_blocked_may_call_nothing() -> None:
    assert policies(blocked=True) == [
        {"unit": "requests", "period": "total", "limit": 0, "enforcement": "hard_limit"}
    ]


def test_figures_that_are_none_are_told() -> None:
    for wrong in ("much", True, -1):
        with pytest.raises(ValueError, match=r"max_budget|no number"):
            limits_of({"max_budget": wrong})

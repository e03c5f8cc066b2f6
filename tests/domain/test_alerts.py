"""Alerts in words: a sentence for each kind, types of the original, when a limit is reached."""

from typing import Any

import pytest

from budget.domain.alerts import (
    KINDS,
    OF_POLICIES,
    Figures,
    policy_message,
    soon_exhausted_us,
    subject_message,
    type_of,
)
from budget.domain.budgets import Policy
from budget.domain.policy_terms import parse_policy

USD = 10**9


def a_policy(**given: Any) -> Policy:
    """A policy of 10 USD a day."""
    terms = {"unit": "usd", "period": "daily", "limit": "10", **given}
    return parse_policy(terms, policy_id="pol_1", budget_id="bud_1", per=("team",), now_us=0)


@pytest.mark.parametrize(
    ("kind", "figures", "said"),
    [
        ("warning", Figures(10 * USD, 7 * USD, 0, 2 * USD, 0),
         "9.00 USD of the daily limit of 10.00 USD is spent; the warning threshold is 80%."),
        ("action", Figures(10 * USD, 10 * USD, 0, 0, 0),
         "10.00 USD of the daily limit of 10.00 USD is spent; the action threshold is 95.5%."),
        ("limit", Figures(10 * USD, 12 * USD, 0, 0, 2 * USD),
         "the daily limit of 10.00 USD is reached: 12.00 USD is spent."),
        ("limit", Figures(10 * USD, 3 * USD, 6 * USD, 0, 0),
         ("a call was refused by the daily limit of 10.00 USD: 3.00 USD is spent and 6.00 USD "
         "held.")),
        ("overrun", Figures(10 * USD, 12 * USD, 0, 0, 2 * USD),
         "2.00 USD went beyond the daily limit of 10.00 USD."),
        ("unreserved", Figures(10 * USD, 4 * USD, 0, 0, 0),
         ("usage was booked that nobody had reserved; 4.00 USD of the daily limit of 10.00 USD is "
         "spent.")),
        ("assumed", Figures(10 * USD, 0, 0, 5 * USD, 0),
         ("calls that never said what they used count as 5.00 USD of the daily limit of 10.00 "
         "USD.")),
        ("exhausted_soon", Figures(10 * USD, 6 * USD, 0, 0, 0),
         ("6.00 USD of the daily limit of 10.00 USD is spent; at the pace of this window so far it "
         "is reached about 1970-01-01T20:00:00Z, before the window ends.")),
    ],
)  # fmt: skip
def test_every_alert_of_a_policy_is_one_sentence_with_names_and_figures(
    kind: str, figures: Figures, said: str
) -> None:
    policy = a_policy(warning_threshold="0.8", action_threshold="0.955")
    told = policy_message(kind, "Search", policy, '{"team":"a"}', figures, 20 * 3600 * 10**6)
    assert told == f"Search (team=a): {said}"
    assert kind in OF_POLICIES


def test_counts_are_told_in_their_unit_and_a_partition_without_its_attribute_as_none() -> None:
    policy = a_policy(unit="input_tokens", limit=1_000_000, period="monthly")
    figures = Figures(1_000_000, 800_000, 0, 0, 0)
    assert policy_message("warning", "B", policy, '{"team":null}', figures) == (
        "B (team=none): 800,000 input tokens of the monthly limit of 1,000,000 input tokens are "
        "spent; the warning threshold is 80%."
    )
    assert policy_message("warning", "B", policy, "{}", figures).startswith("B: 800,000")


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - OF_POLICIES.keys()))
def test_every_alert_of_anything_else_names_its_subject(kind: str) -> None:
    detail = {"spent": "1", "usual": "2", "cost": "3", "reported_cost": "4", "name": "On call"}
    told = subject_message(kind, "gpt-9", detail)
    assert ("On call" if kind == "channel_failing" else "gpt-9") in told
    assert told.endswith(".")


def test_types_are_those_of_the_original_for_thresholds_and_the_kind_for_all_else() -> None:
    assert type_of("warning", "usd") == type_of("action", "usd") == "cost_limit_approaching"
    assert type_of("limit", "usd") == "cost_limit_exceeded"
    assert type_of("action", "output_tokens") == "token_limit_approaching"
    assert type_of("limit", "tokens") == "token_limit_exceeded"
    assert type_of("limit", "requests") == "limit"
    assert type_of("overrun", "usd") == "overrun"
    assert type_of("unpriced", None) == "unpriced"


@pytest.mark.parametrize(
    ("used", "now", "reached"),
    [
        (60, 12, 20),  # 5 an hour: 100 after 20 of 24 hours
        (60, 14, 14 * 100 / 60),
        (50, 6, None),  # no more than half is spent
        (51, 2, None),  # too early to say: an eighth of the day is 3 hours
        (51, 3, 3 * 100 / 51),
        (100, 12, None),  # it is reached
        (51, 13, None),  # 3.92 an hour: after 25.5
        (0, 12, None),
    ],
)
def test_a_window_that_goes_on_as_it_did_reaches_its_limit_or_does_not(
    used: int, now: int, reached: float | None
) -> None:
    hour = 3_600_000_000
    told = soon_exhausted_us(100, used, 0, 24 * hour, now * hour)
    if reached is None:
        assert told is None
    else:
        assert told is not None
        assert abs(told - reached * hour) <= 1

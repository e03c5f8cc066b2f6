"""`budget audit`: who changed what, in words."""

import pytest

from budget.cli.audit_words import MOST_CHARS, change_words
from tests.cli.conftest import Say

LIMIT = {
    "unit": "usd", "period": "daily", "limit": "5.00", "enforcement": "hard_limit",
    "warning_threshold": "0.8", "action_threshold": "0.95", "timezone": "UTC",
    "on_expiry": "assume", "rollover": "none", "reserved_for_priority": {},
}  # fmt: skip


def test_what_changed_is_told_from_what_to_what(local: Say) -> None:
    local("budgets", "create", "Search", "--limit", "100/monthly", "--scope", "team=search")
    local("budgets", "create", "Other", "--limit", "100/monthly")
    local("budgets", "edit", "Search", "--limit", "120.5")
    local("budgets", "edit", "Search", "--name", "Find")
    local("keys", "create", "ci", "--scopes", "read")

    def changes(*options: str) -> list[str]:
        lines = local("audit", *options).out.splitlines()[1:]
        return [" ".join(line.split()[2:]) for line in lines]

    assert changes("--budget", "Find") == [
        "budget changed: Find name Search → Find",
        "policy changed: Find limit 100.00 → 120.50",
        "budget created: Find name Search, scope team=search, 100.00 USD monthly (warn)",
    ]
    assert len(changes("--kind", "budget_created")) == 2
    assert len(changes("--limit", "2")) == 2
    assert len(changes("--actor", "local")) == len(changes("--from", "2020-01-01")) == 5
    assert changes("--to", "2020-01-01") == changes("--actor", "key_nobody") == []
    told = local("audit", "--kind", "policy_changed", "--json").json["items"][0]
    assert told["changes"] == {"limit": {"old": "100.00", "new": "120.50"}}
    assert len(changes("--policy-id", told["policy_id"])) == 1


def test_a_limit_is_told_with_what_is_unusual_of_it() -> None:
    assert change_words({}, LIMIT) == "5.00 USD daily (hard_limit)"
    unusual = {
        **LIMIT, "unit": "input_tokens", "limit": 50, "timezone": "Asia/Tokyo",
        "on_expiry": "release", "reserved_for_priority": {"8": "10%"},
    }  # fmt: skip
    assert change_words({}, {"policies": {"pol_1": unusual}, "reason": "why"}) == (
        "50 input tokens daily (hard_limit, timezone Asia/Tokyo, on expiry release, "
        "reserved 8=10%), because: why"
    )


def test_amounts_have_their_unit_and_instants_are_short() -> None:
    detail = {
        "unit": "usd", "amount": "7.50", "until": "2026-12-01T00:00:00Z",
        "partition": '{"user":null}', "top_up_id": "top_1", "note": None,
    }  # fmt: skip
    assert change_words({}, detail) == (
        "amount 7.50 USD, until 2026-12-01 00:00 UTC, partition user=(none)"
    )
    scope = {"scope": {"old": {}, "new": {"team": ["a", "b"]}}}
    assert change_words(scope, {"successors": {"pol_1": "pol_2"}}) == (
        "scope all calls → team=a|b, its limits begin anew"
    )


def test_a_long_change_is_cut() -> None:
    told = change_words({}, {"description": "x" * 1000})
    assert len(told) == MOST_CHARS
    assert told.endswith("…")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--from", "yesterday"), 2, "--from: must be a day, or a time with"),
        (("--to", "2026-02-30"), 2, "--to: "),
        (("--kind", "painted"), 2, "--kind: is not a kind of change."),
        (("--budget", "nothing"), 4, "There is no budget 'nothing'."),
        (("--limit", "0"), 2, "--limit: must be 1 or more."),
        (("--actor",), 2, "--actor"),
        (("--policy-id", "pol_x"), 0, "Nobody changed anything of that kind."),
    ],
)
def test_bad_values_are_told(local: Say, options: tuple[str, ...], code: int, said: str) -> None:
    answer = local("audit", *options)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err

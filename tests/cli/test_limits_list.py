"""`budget limits list`."""

import pytest

from tests.cli.conftest import Say


def test_every_limit_is_listed_as_it_stands(local: Say) -> None:
    local("set-limit", "daily", "5")
    words = ("--limit", "100/monthly:hard", "--limit", "1000/daily/requests", "--per", "user")
    local("budgets", "create", "Search", *words)
    local("allocate", "create", "--user-id", "ann", "--usd", "4.50")

    def limits(*options: str) -> list[tuple[str, str, str]]:
        items = local("limits", "list", *options, "--json").json["items"]
        return [(one["budget"], one["period"], one["unit"]) for one in items]

    default, monthly, daily = (
        ("Default Budget", "daily", "usd"),
        ("Search", "monthly", "usd"),
        ("Search", "daily", "requests"),
    )
    assert sorted(limits()) == sorted([default, monthly, daily])
    assert sorted(limits("--period", "daily")) == sorted([default, daily])
    assert limits("--unit", "requests") == [daily]
    assert limits("--enforcement", "block") == [monthly]
    assert sorted(limits("--budget", "search")) == sorted([monthly, daily])
    assert limits("--budget", "search", "--period", "daily") == [daily]
    shown = local("limits", "list", "--budget", "Search", "--unit", "usd").out.splitlines()[1]
    # Held are 4.50 of 100: 95.50 are left, and nothing is spent yet.
    assert shown.split()[:9] == [
        "Search", "user=ann", "monthly", "usd", "0.00", "4.50", "0.00", "100.00", "95.50",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--budget", "nothing"), 4, "There is no budget 'nothing'."),
        (("--period", "dayly"), 2, "--period: is not a period."),
        (("--unit", "eur"), 2, "--unit: 'eur' is not a unit."),
        (("--enforcement", "harsh"), 2, "--enforcement: 'harsh' is not an enforcement."),
        (("--limit", "0"), 2, "--limit: must be 1 or more."),
        (("--limit", "x"), 2, "--limit"),
    ],
)
def test_bad_values_are_told(local: Say, options: tuple[str, ...], code: int, said: str) -> None:
    answer = local("limits", "list", *options)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err

"""`budget budgets list` and `show`."""

import pytest

from tests.cli.conftest import Say


def test_budgets_are_listed_by_name_owner_and_archive(local: Say) -> None:
    local("budgets", "create", "Search", "--limit", "1/daily", "--owner", "ann")
    local("budgets", "create", "Index", "--limit", "2/daily")
    local("budgets", "archive", "Index", "--yes")

    def names(*options: str) -> list[str]:
        return [one["name"] for one in local("budgets", "list", *options, "--json").json["items"]]

    assert names() == ["Search"]
    assert names("--archived") == ["Search", "Index"]
    assert names("--owner", "bob") == []
    assert names("--name", "EAR") == ["Search"]
    assert names("--archived", "--limit", "1") == ["Search"]
    assert "--limit 10 shows more" in local("budgets", "list", "--archived", "--limit", "1").err


def test_a_budget_is_shown_with_what_stands_and_what_waits(local: Say) -> None:
    local("budgets", "create", "Search", "--limit", "10/daily:hard", "--per", "user")
    local("allocate", "create", "--user-id", "ann", "--usd", "4")
    local("budgets", "top-up", "Search", "5", "--reason", "launch", "--partition", "user=bob")
    local("budgets", "request", "Search", "7", "--reason", "demo\x1b[31m")
    shown = local("budgets", "show", "search").out
    # 10 are the limit, 4 held for ann: 6 are left; the top-up is bob's alone.
    assert "daily   usd    0.00      4.00     0.00  10.00  6.00     0.0" in shown
    assert "user=ann" in shown
    assert "5.00  usd   daily   user=bob" in shown
    assert "demo [31m" in shown  # no command of a terminal comes through
    told = local("budgets", "show", "Search", "--json").json
    assert told["standings"][0]["reserved"] == "4.00"
    assert told["requests"][0]["amount"] == "7.00"
    assert told["policies"][0]["top_ups"][0]["amount"] == "5.00"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("list", "--limit", "0"), 2, "--limit: must be 1 or more."),
        (("list", "--limit", "many"), 2, "--limit"),
        (("list", "--owner"), 2, "--owner"),
        (("list", "--colour", "red"), 2, "--colour"),
        (("show",), 2, "BUDGET"),
        (("show", "nothing"), 4, "There is no budget 'nothing'."),
        (("show", "bud_" + "0" * 32), 4, "There is no budget"),
        (("show", " "), 2, "BUDGET: must be the id or the name of a budget."),
    ],
)
def test_bad_values_are_told(local: Say, words: tuple[str, ...], code: int, said: str) -> None:
    answer = local("budgets", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err

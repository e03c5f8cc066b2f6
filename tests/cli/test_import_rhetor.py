"""`budget import rhetor` takes over the limits and the usage of Rhetor's database, once."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Say
from tests.cli.spent import opened, today
from tests.fakes.tekton.rhetor import fill

SEED = ("anthropic", "claude-sonnet-4-20250514", "telos", "chat", 5_000, 2_500, 0.0525)
"""At 3 and 15 USD a million tokens: 0.015 + 0.0375 = 0.0525 USD."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def limits() -> list[tuple[Any, ...]]:
    """The limits that stand: whose, of what period, how much in nano-USD, and how strict."""
    with opened() as books:
        return sorted(
            (budget.name, policy.calendar.period.text, policy.limit, policy.enforcement)
            for budget in books.budgets().items
            for policy in budget.live_policies
        )


def test_limits_and_usage_are_taken_over_and_the_second_time_nothing_is(local: Say) -> None:
    rows = [(f"{today()}T00:00:00.000001", *SEED), (f"{today()}T00:00:00.000002", *SEED)]
    settings = [
        ("daily", "all", 9.0, "warn", 0), ("daily", "all", 5.0, "warn", 1),
        ("daily", "all", 2.5, "enforce", 1), ("monthly", "anthropic", 80.0, "ignore", 1),
        ("weekly", "gemini", 0.1, "warn", 1), ("weekly", "all", 0.0, "enforce", 1),
    ]  # fmt: skip
    fill("rhetor.db", rows, settings)
    before = Path("rhetor.db").read_bytes()
    dry = local("--json", "import", "rhetor", "rhetor.db", "--dry-run")
    assert (dry.json["booked"], dry.json["limits"]) == (2, {"found": 3, "set": 0})
    said = local("--json", "import", "rhetor", "rhetor.db", "--timezone", "UTC")
    assert said.code == 0, said.out + said.err
    assert (said.json["booked"], said.json["reported_cost"]) == (2, "0.105")
    assert said.json["limits"] == {"found": 3, "set": 3}
    expected = [
        ("Rhetor", "daily", 2_500_000_000, "hard_limit"),
        ("Rhetor: anthropic", "monthly", 80_000_000_000, "ignore"),
        ("Rhetor: gemini", "weekly", 100_000_000, "warn"),
    ]
    assert limits() == expected
    with opened() as books:
        used = books.usage_records().items
        scopes = {one.name: one.scope for one in books.budgets().items}
    assert [one.attributes["tag.source"] for one in used] == ["rhetor", "rhetor"]
    assert used[0].attributes["component"] == "telos"
    assert scopes["Rhetor"] == ()
    (condition,) = scopes["Rhetor: gemini"]
    assert condition.exact == {"gemini", "google"}
    again = local("--json", "import", "rhetor", "rhetor.db")
    assert (again.json["booked"], again.json["booked_before"]) == (0, 2)
    assert again.json["limits"] == {"found": 3, "set": 0}
    assert limits() == expected
    assert Path("rhetor.db").read_bytes() == before
    assert local("verify").code == 0


def test_the_environment_says_what_its_settings_do_not(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill("rhetor.db", [], [("weekly", "all", 25.0, "warn", 1)])
    monkeypatch.setenv("RHETOR_BUDGET_POLICY", "enforce")
    monkeypatch.setenv("RHETOR_BUDGET_DAILY_LIMIT", "5.00")
    monkeypatch.setenv("RHETOR_BUDGET_WEEKLY_LIMIT", "30")
    monkeypatch.setenv("RHETOR_BUDGET_MONTHLY_LIMIT", "0")
    said = local("import", "rhetor", "rhetor.db")
    assert said.code == 0, said.err
    assert "Set: 'Rhetor' daily 5.00 USD, hard_limit." in said.out
    assert limits() == [
        ("Rhetor", "daily", 5_000_000_000, "hard_limit"),
        ("Rhetor", "weekly", 25_000_000_000, "warn"),
    ]
    said = local("import", "rhetor", "rhetor.db")
    assert "Stands already: 'Rhetor' daily 5.00 USD, hard_limit." in said.out


def test_limits_may_be_left_out(local: Say) -> None:
    fill("rhetor.db", [(f"{today()}T00:00:00", *SEED)], [("daily", "all", 1.0, "warn", 1)])
    assert local("import", "rhetor", "rhetor.db", "--usage-only").code == 0
    assert limits() == []


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        (("hourly", "all", 1.0, "warn", 1), "period must be one of daily"),
        (("daily", "all", 1.0, "shout", 1), "enforcement must be one of ignore"),
        (("daily", "all", -1.0, "warn", 1), "limit_amount must be from 0"),
        (("daily", "all", "much", "warn", 1), "limit_amount must be a number"),
        (("daily", "all", 1e300, "warn", 1), "limit_amount is out of range"),
        (("daily", "a b\n", 1.0, "warn", 1), "provider is no name"),
    ],
)
def test_a_setting_that_cannot_be_read_is_told_and_the_others_are_set(
    local: Say, setting: tuple[Any, ...], why: str
) -> None:
    fill("rhetor.db", [], [setting, ("monthly", "all", 7.0, "warn", 1)])
    said = local("import", "rhetor", "rhetor.db")
    assert said.code == 1
    assert f"Not set: budget_settings row 1: {why}" in said.out
    assert limits() == [("Rhetor", "monthly", 7_000_000_000, "warn")]


def test_a_table_of_settings_with_other_columns_is_told(local: Say) -> None:
    fill("rhetor.db", [], [])
    with closing(sqlite3.connect("rhetor.db")) as connection:
        connection.execute("DROP TABLE budget_settings")
        connection.execute("CREATE TABLE budget_settings (id, active)")
        connection.execute("INSERT INTO budget_settings VALUES (1, 1)")
        connection.commit()
    said = local("import", "rhetor", "rhetor.db")
    assert said.code == 1
    assert "Not set: budget_settings row 1: " in said.out

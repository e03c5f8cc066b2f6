"""`budget status` shows the balances as they are, from a database as through the service."""

import re
from typing import Any

import pytest

from budget.cli.status import mood, resets_text
from budget.cli.typed import parse_pairs
from budget.domain.errors import InvalidInput
from budget.engine.budget import Budget
from budget.engine.settings import Settings
from tests.cli.conftest import Say
from tests.cli.test_outcome import balance


def spend(component: str, usd: str) -> None:
    """Book usage on the local books, at a cost that was stated."""
    with Budget.open(Settings.read().target, sweep=False) as books:
        books.record_usage(
            attributes={"component": component}, model="unknown-model", input_tokens=1, cost=usd
        )


@pytest.fixture
def spent(local: Say) -> Say:
    """Local books with a limit for all, a limit for code, and 4.1 USD spent by code."""
    local("set-limit", "monthly", "10")
    local("set-limit", "daily", "4", "--component", "code")
    spend("code", "4.1")
    return local


def table(out: str) -> list[list[str]]:
    """The cells of a plain table, which stand two blanks apart."""
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()
    ]


def test_before_anything_was_set_it_says_what_to_do(local: Say) -> None:
    local("set-limit", "daily", "5")
    with Budget.open(Settings.read().target, sweep=False) as books:
        (found,) = books.budgets().items
        books.archive_budget(found.budget_id)
    said = local("status")
    assert said.code == 0
    assert said.out == ""
    assert "budget set-limit daily 5.00" in said.err
    assert local("status", "--quiet").err == ""
    assert local("status", "--json").json == {"balances": []}


def test_a_pipe_gets_one_line_for_each_balance(spent: Say) -> None:
    head, first, second = table(spent("status").out)
    assert head == [
        "Budget", "Partition", "Period", "Unit", "Spent", "Reserved", "Assumed", "Limit", "Left",
        "Used %", "Resets",
    ]  # fmt: skip
    assert first[:-1] == [
        "Default Budget", "monthly", "usd", "4.10", "0.00", "0.00", "10.00", "5.90", "41.0",
    ]  # fmt: skip
    assert second[:-1] == [
        "Default Budget (component code)", "daily", "usd", "4.10", "0.00", "0.00", "4.00", "0.00",
        "102.5",
    ]  # fmt: skip
    assert first[-1].endswith("-01T00:00:00Z")


def test_json_has_the_shapes_of_the_api(spent: Say) -> None:
    said = spent("status", "--json")
    assert said.out == spent("status", "--format", "json").out
    first, second = said.json["balances"]
    assert (first["spent"], first["limit"], first["used_fraction"]) == ("4.10", "10.00", "0.41")
    assert second["used_fraction"] == "1.025"


@pytest.mark.parametrize(
    ("words", "periods"),
    [
        (["--period", "daily"], ["daily"]),
        (["--period", "weekly"], []),
        (["--component", "code"], ["monthly", "daily"]),
        (["--component", "chat"], ["monthly"]),
        (["--attribute", "component=code"], ["monthly", "daily"]),
        (["--attribute", "team=search", "--attribute", "user=ann"], ["monthly"]),
        (["--provider", "openai", "--tier", "remote_heavyweight"], ["monthly"]),
    ],
)
def test_filters_leave_what_such_calls_meet(
    spent: Say, words: list[str], periods: list[str]
) -> None:
    shown = spent("status", "--json", *words).json["balances"]
    assert [one["period"] for one in shown] == periods


def test_the_service_answers_as_the_database_does(remote: Say) -> None:
    remote("set-limit", "monthly", "10")
    said = remote("status", "--json", "--component", "code")
    assert [one["limit"] for one in said.json["balances"]] == ["10.00"]
    assert "Default Budget" in remote("status").out


def test_a_terminal_shows_colour_from_the_warning_on_and_a_bar(
    spent: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name, value in {"TERM": "xterm", "COLUMNS": "200", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = spent("status").out
    assert "████░░░░░░" in shown
    assert "\x1b[1;31m" in shown  # code is over its limit
    assert re.search(r"in \d+ (h|min)", shown)
    assert "\x1b[1;31m" not in spent("status", "--no-color").out


def test_the_colour_changes_at_the_threshold_and_at_the_limit() -> None:
    assert mood(balance(used_fraction="0.4999", warning_threshold="0.5")) == ""
    assert mood(balance(used_fraction="0.5", warning_threshold="0.5")) == "warn"
    assert mood(balance(used_fraction="0.79", warning_threshold="0.8")) == ""
    assert mood(balance(used_fraction="1")) == "over"
    assert mood(balance(used_fraction="0.2", overrun="0.10")) == "over"
    assert mood(balance(used_fraction=None)) == ""


def test_when_a_window_ends_is_said_for_people_and_for_programs() -> None:
    assert resets_text(None, pretty=True) == "never"
    assert resets_text("2026-02-01T00:00:00Z", pretty=False) == "2026-02-01T00:00:00Z"
    assert resets_text("1999-02-01T00:00:00Z", pretty=True) == "in 0 min"
    assert resets_text("2999-02-01T00:00:00Z", pretty=True).startswith("2999-02-01, in 3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--period", "dayly"], "--period: is not a period"),
        (["--attribute", "team"], "--attribute: 'team' is not KEY=VALUE."),
        (["--attribute", "taem=x"], "--attribute: 'taem' is not an attribute. Allowed: org, team"),
        (["--attribute", "team="], "--attribute team: must have 1 to 256 characters."),
        (["--attribute", "team=a", "--attribute", "team=b"], "team is given twice"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(spent: Say, words: list[str], said: str) -> None:
    heard = spent("status", *words)
    assert heard.code == 2
    assert said in heard.err


def test_pairs_may_hold_equals_signs_and_repeat_themselves() -> None:
    asked: dict[str, Any] = {"tier": None, "component": "code"}
    assert parse_pairs(("tag.q=a=b", "component=code"), "--attribute", **asked) == {
        "component": "code",
        "tag.q": "a=b",
    }
    twice = ("taskType=chat", "task_type=chat")
    assert parse_pairs(twice, "--attribute") == {"task_type": "chat"}
    for pair in ("component=chat", "taskType=code"):
        with pytest.raises(InvalidInput):
            parse_pairs((pair, "task_type=chat"), "--attribute", **asked)

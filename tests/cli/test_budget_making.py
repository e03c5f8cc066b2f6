"""`budget budgets create`, `edit` and `archive`."""

import io
from typing import Any

import pytest

from budget.engine.budget import Budget
from budget.prices.book import PriceBook
from tests.cli.conftest import Say
from tests.support.databases import SqliteDatabases


def made(say: Say, *words: str) -> dict[str, Any]:
    """A budget made by these words."""
    said = say("budgets", "create", *words, "--json")
    assert said.code == 0, said.err
    told: dict[str, Any] = said.json
    return told


def test_a_budget_is_made_as_it_was_typed(local: Say) -> None:
    budget = made(
        local, "Search", "--limit", "100/monthly", "--limit", "5000/daily/tokens:soft", "--hard",
        "--scope", "team=search", "--scope", "model=gpt-*", "--scope", "team=ads",
        "--per", "user,agent", "--timezone", "Europe/Berlin", "--reset-day", "last",
        "--rollover", "unused", "--on-expiry", "release", "--warning-threshold", "0.5",
        "--action-threshold", "0.6", "--reserve", "8=10%", "--owner", "ann",
        "--description", "Search and ranking", "--unpriced", "3,15",
    )  # fmt: skip
    assert budget["scope"] == {"team": ["ads", "search"], "model": "gpt-*"}
    assert budget["per"] == ["agent", "user"]
    assert (budget["owner"], budget["description"]) == ("ann", "Search and ranking")
    assert budget["unpriced"] == {"input": "3.00", "output": "15.00"}
    monthly, daily = sorted(budget["policies"], key=lambda one: one["period"], reverse=True)
    assert (monthly["limit"], monthly["enforcement"], monthly["reset_day"]) == (
        "100.00", "hard_limit", "last",
    )  # fmt: skip
    assert (daily["limit"], daily["unit"], daily["enforcement"]) == (5000, "tokens", "soft_limit")
    shared = {
        "timezone": "Europe/Berlin", "rollover": "unused", "on_expiry": "release",
        "warning_threshold": "0.5", "action_threshold": "0.6",
        "reserved_for_priority": {"8": "10%"},
    }  # fmt: skip
    for policy in (monthly, daily):
        assert {name: policy[name] for name in shared} == shared


def test_a_limit_warns_unless_said_otherwise(local: Say) -> None:
    assert made(local, "A", "--limit", "1/daily")["policies"][0]["enforcement"] == "warn"
    said = local("budgets", "create", "B", "--limit", "1/daily:hard", "--quiet")
    assert said.out.startswith("bud_")
    assert said.err == ""


def test_what_was_spent_already_can_be_counted_in(local: Say) -> None:
    local("set-limit", "daily", "9")
    local("allocate", "create", "--usd", "2")
    budget = made(local, "Late", "--limit", "5/daily:hard", "--backfill")
    shown = local("budgets", "show", budget["budget_id"], "--json").json
    assert shown["standings"][0]["reserved"] == "2.00"


def test_fields_of_a_budget_are_changed(local: Say) -> None:
    made(local, "Search", "--limit", "1/daily", "--owner", "ann")
    said = local(
        "budgets", "edit", "Search", "--name", "Find", "--owner", "", "--unpriced", "allow"
    )
    assert "name from Search to Find, owner from ann to none" in said.out
    assert "Nothing to change" in local("budgets", "edit", "Find", "--name", "Find").out
    said = local("budgets", "edit", "Find", "--scope", "team=a", "--per", "user")
    assert "scope from all calls to team=a, per from none to user" in said.out
    assert "begun anew" in said.err


def test_what_is_done_before_calls_are_refused_is_typed_in_its_order(local: Say) -> None:
    words = ("Search", "--limit", "1/daily:hard", "--degrade")
    assert made(local, *words, "gpt-4o-mini, smaller,refuse")["degrade"] == [
        "gpt-4o-mini", "smaller", "refuse"
    ]  # fmt: skip
    shown = local("budgets", "show", "Search").out
    assert "gpt-4o-mini, then smaller, then refuse" in shown
    said = local("budgets", "edit", "Search", "--degrade", "none")
    assert "degrade from gpt-4o-mini|smaller|refuse to none" in said.out
    said = local("budgets", "edit", "Search", "--degrade", "refuse,smaller")
    assert said.code == 2
    assert "--degrade" in said.err
    assert "refuse, which is the last step" in said.err


def test_a_model_that_nobody_knows_is_noted_when_it_is_set(local: Say) -> None:
    made(local, "Search", "--limit", "1/daily:hard")
    said = local("budgets", "edit", "Search", "--degrade", "gpt-4o-mnii,refuse")
    assert said.code == 0
    assert "degrade[0]: no provider is known to have a model 'gpt-4o-mnii'" in said.err


def test_a_limit_is_changed_added_and_removed(local: Say) -> None:
    made(local, "Search", "--limit", "10/daily")
    said = local("budgets", "edit", "Search", "--limit", "12", "--enforcement", "hard")
    assert "it was 10.00 USD daily (warn),\nnow it is 12.00 USD daily (hard_limit)" in said.out
    local("budgets", "edit", "Search", "--add", "50/weekly:hard")
    said = local("budgets", "edit", "Search", "--period", "weekly", "--timezone", "Asia/Tokyo")
    assert "50.00 USD weekly (hard_limit, Asia/Tokyo)" in said.out
    assert "begun anew" in said.err
    said = local("budgets", "edit", "Search", "--period", "daily", "--remove", "--json")
    assert said.json["archived_at"] is not None
    assert [one["period"] for one in local("limits", "list", "--json").json["items"]] == ["weekly"]
    said = local("budgets", "edit", "Search", "--action-threshold", "0.9", "--reserve", "8=5%")
    assert "; action threshold 0.9, reserved for priority 8=5%." in said.out


class Terminal(io.StringIO):
    """Somebody at a terminal, who types this."""

    def isatty(self) -> bool:
        """Somebody is there."""
        return True


def test_whoever_is_at_the_terminal_is_asked(local: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    made(local, "Search", "--limit", "10/daily")
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    said = local("budgets", "archive", "Search")
    assert said.code == 1
    assert "its 1 limit out of force? [y/N] Nothing was changed." in said.err
    monkeypatch.setattr("sys.stdin", Terminal("Yes\n"))
    assert "is out of force" in local("budgets", "archive", "Search").out


def make_kept(url: str) -> None:
    """A budget with a limit."""
    with Budget.open(url, prices=PriceBook(None), sweep=False) as books:
        books.create_budget(
            name="Kept", policies=[{"unit": "usd", "period": "daily", "limit": "1"}]
        )


@pytest.fixture
def kept(say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Say `budget ...` to a database that has that budget."""
    monkeypatch.setenv("BUDGET_TARGET", sqlite_databases.new(make_kept))
    return say


CREATE = ("create", "X", "--limit", "1/monthly")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "X"), "--limit: is required"),
        (("create", "", "--limit", "1/daily"), "NAME: must have 1 to 200 characters."),
        (("create", "a\nb", "--limit", "1/daily"), "NAME: must not contain control characters."),
        (("create", "X", "--limit", "1/daily:maybe"), "--limit: 'maybe' is not an enforcement."),
        ((*CREATE, "--scope", "team"), "--scope: 'team' is not KEY=VALUE."),
        ((*CREATE, "--scope", "colour=red"), "--scope: 'colour' is not an attribute."),
        ((*CREATE, "--scope", "team="), "--scope team: must have 1 to 256 characters."),
        ((*CREATE, "--per", "colour"), "--per: 'colour' is not an attribute."),
        ((*CREATE, "--timezone", "Mars/Base"), "--timezone: is not the IANA name"),
        ((*CREATE, "--reset-day", "29"), "--reset-day: "),
        ((*CREATE, "--reset-day", "first"), "--reset-day: "),
        (("create", "X", "--limit", "1/daily", "--reset-day", "3"), "--reset-day: only a monthly"),
        ((*CREATE, "--rollover", "some"), "--rollover: 'some' is not known."),
        ((*CREATE, "--on-expiry", "never"), "--on-expiry: 'never' is not known."),
        ((*CREATE, "--warning-threshold", "80%"), "--warning-threshold: must be a plain decimal"),
        ((*CREATE, "--action-threshold", "1.1"), "--action-threshold: must be at most 1."),
        (
            (*CREATE, "--warning-threshold", "0.9", "--action-threshold", "0.8"),
            "--warning-threshold: must not be above --action-threshold.",
        ),
        ((*CREATE, "--reserve", "8"), "--reserve: '8' is not PRIORITY=SHARE"),
        ((*CREATE, "--reserve", "11=10%"), "--reserve: '11' is not a priority"),
        ((*CREATE, "--reserve", "8=10"), "--reserve"),
        ((*CREATE, "--owner", "a\x1bb"), "--owner: must not contain control characters."),
        ((*CREATE, "--unpriced", "perhaps"), "--unpriced: 'perhaps' is not known."),
        ((*CREATE, "--unpriced", "3,x"), "--unpriced output: must be a plain decimal"),
        (("edit", "Kept"), "one of these at a time"),
        (("edit", "Kept", "--owner", "x", "--limit", "2"), "one of these at a time"),
        (("edit", "Kept", "--name", ""), "--name: must have 1 to 200 characters."),
        (("edit", "Kept", "--limit", "lots"), "--limit: must be a plain decimal"),
        (("edit", "Kept", "--enforcement", "harsh"), "--enforcement: 'harsh' is not"),
        (("edit", "Kept", "--add", "5"), "--add: '5' is not AMOUNT/PERIOD"),
        (("edit", "Kept", "--period", "dayly", "--limit", "2"), "--period: is not a period."),
        (("edit", "Kept", "--unit", "eur", "--limit", "2"), "--unit: 'eur' is not a unit."),
        (("edit", "Kept", "--timezone", "x"), "--timezone: is not the IANA name"),
        (("archive", "Kept"), "--yes: is required where nobody can be asked."),
    ],
)
def test_bad_values_are_told_and_nothing_is_done(
    kept: Say, words: tuple[str, ...], said: str
) -> None:
    answer = kept("budgets", *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("edit", "Kept", "--period", "weekly", "--limit", "2"),
        ("edit", "Kept", "--policy-id", "pol_x", "--limit", "2"),
        ("edit", "nothing", "--limit", "2"),
        ("archive", "nothing", "--yes"),
    ],
)
def test_what_is_not_there_is_told(kept: Say, words: tuple[str, ...]) -> None:
    answer = kept("budgets", *words)
    assert (answer.code, answer.out) == (4, "")

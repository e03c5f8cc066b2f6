"""`budget set-limit` finds or makes the budget it speaks of, in a database or through a service."""

import pytest

from tests.cli.conftest import Say


@pytest.fixture(params=["local", "remote"])
def books(request: pytest.FixtureRequest) -> Say:
    """Both kinds of books; the service's are shared by the tests of this file."""
    said: Say = request.getfixturevalue(request.param)
    return said


def test_the_first_limit_makes_the_default_budget_and_warns(local: Say) -> None:
    said = local("set-limit", "daily", "5")
    assert said.code == 0
    assert said.out.startswith("Created 'Default Budget' (")
    assert "5.00 USD daily (warn); beyond it an alert is raised" in said.out


def test_a_further_period_joins_the_same_budget(local: Say) -> None:
    first = local("set-limit", "daily", "5", "--json").json
    second = local("set-limit", "monthly", "100.50", "--hard", "--json").json
    assert (first["did"], second["did"]) == ("created_budget", "created_policy")
    assert second["policy"]["budget_id"] == first["budget"]["budget_id"]
    assert second["policy"]["limit"] == "100.50"
    assert second["policy"]["enforcement"] == "hard_limit"


def test_saying_it_again_changes_the_limit_and_leaves_the_rest(local: Say) -> None:
    local("set-limit", "daily", "5", "--hard", "--warning-threshold", "0.5")
    said = local("set-limit", "daily", "8")
    assert "limit from 5.00 USD to 8.00 USD. It is now 8.00 USD daily (hard_limit);" in said.out
    policy = local("set-limit", "daily", "8", "--json").json["policy"]
    assert policy["warning_threshold"] == "0.5"


def test_saying_the_same_twice_changes_nothing(books: Say) -> None:
    words = ("set-limit", "daily", "5", "--name", "Twice", "--warning-threshold", "0.80")
    first = books(*words, "--json").json
    second = books(*words, "--json").json
    assert second["did"] == "nothing"
    assert second["policy"] == first["policy"]
    assert books(*words).out.startswith("Nothing to change in 'Twice'")


def test_a_budget_for_some_calls_has_a_name_of_its_own(books: Say) -> None:
    said = books(
        "set-limit", "weekly", "7", "--component", "code", "--provider", "openai", "--json"
    )
    budget = said.json["budget"]
    assert budget["name"] == "Default Budget (provider openai, component code)"
    assert budget["scope"] == {"component": "code", "provider": "openai"}
    again = books(
        "set-limit", "daily", "2", "--component", "code", "--provider", "openai", "--json"
    )
    assert again.json["budget"]["budget_id"] == budget["budget_id"]


def test_a_budget_may_be_named_by_its_id(books: Say) -> None:
    made = books("set-limit", "daily", "5", "--name", "By id", "--json").json
    budget_id = made["budget"]["budget_id"]
    said = books("set-limit", "hourly", "1", "--budget-id", budget_id, "--json")
    assert said.json["did"] == "created_policy"
    assert said.json["policy"]["budget_id"] == budget_id


def test_tokens_and_requests_are_limited_by_whole_numbers(books: Say) -> None:
    said = books("set-limit", "daily", "100000", "--name", "T", "--unit", "tokens", "--json")
    assert said.json["policy"]["limit"] == 100_000
    assert "100000 tokens daily" in books(
        "set-limit", "daily", "100000", "--name", "T", "--unit", "tokens"
    ).out  # fmt: skip


def test_the_other_spelling_is_understood(local: Say) -> None:
    assert local("set_limit", "daily", "5").code == 0


def test_enforcement_may_be_called_as_elsewhere(local: Say) -> None:
    said = local("set-limit", "daily", "5", "--policy-type", "enforce", "--json")
    assert said.json["policy"]["enforcement"] == "hard_limit"


def test_a_zone_says_where_the_day_begins(local: Say) -> None:
    said = local("set-limit", "daily", "5", "--timezone", "Asia/Tokyo")
    assert "(warn, Asia/Tokyo)" in said.out


def test_with_limits_in_several_zones_the_zone_must_be_named(local: Say) -> None:
    budget = local("set-limit", "daily", "5", "--json").json["budget"]["budget_id"]
    # A second daily limit, which only the API makes.
    from budget.engine.budget import Budget
    from budget.engine.settings import Settings

    with Budget.open(Settings.read().target, sweep=False) as books:
        books.create_policy(
            budget, unit="usd", period="daily", limit="5", timezone="Asia/Tokyo", enforcement="warn"
        )
    said = local("set-limit", "daily", "6")
    assert said.code == 2
    assert "--policy-id: must say which of the daily limits of usd to change: " in said.err
    assert "5.00 USD daily (warn, Asia/Tokyo)" in said.err
    chosen = local("set-limit", "daily", "6", "--timezone", "Asia/Tokyo", "--json").json
    assert chosen["policy"]["timezone"] == "Asia/Tokyo"
    assert chosen["policy"]["limit"] == "6.00"


def test_with_several_limits_in_one_zone_the_policy_must_be_named(local: Say) -> None:
    first = local("set-limit", "daily", "5", "--json").json["policy"]
    from budget.engine.budget import Budget
    from budget.engine.settings import Settings

    with Budget.open(Settings.read().target, sweep=False) as books:
        second = books.create_policy(
            first["budget_id"], unit="usd", period="daily", limit="9", enforcement="hard_limit"
        )
    for words in ((), ("--timezone", "UTC")):
        said = local("set-limit", "daily", "6", *words)
        assert said.code == 2
        assert f"{first['policy_id']}, 5.00 USD daily (warn); " in said.err
        assert f"{second.policy_id}, 9.00 USD daily (hard_limit)." in said.err
    chosen = local("set-limit", "daily", "6", "--policy-id", second.policy_id, "--json").json
    assert chosen["policy"]["policy_id"] == second.policy_id
    assert chosen["policy"]["limit"] == "6.00"
    none = local("set-limit", "monthly", "6", "--policy-id", second.policy_id)
    assert none.code == 4
    assert f"There is no monthly limit of usd '{second.policy_id}'" in none.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["5", "--warning-threshold", "0.9"], "warning threshold from 0.8 to 0.9. It is now"),
        (["5", "--warning-threshold", "0.99"], "0.8 to 0.99, action threshold from 0.95 to 0.99."),
        (["7", "--hard"], "limit from 5.00 USD to 7.00 USD, enforcement from warn to hard_limit."),
        (["5", "--timezone", "Asia/Tokyo"], "time zone from UTC to Asia/Tokyo. It is now 5.00 USD"),
    ],
)
def test_it_says_what_was_changed(local: Say, words: list[str], said: str) -> None:
    local("set-limit", "daily", "5")
    assert said in local("set-limit", "daily", *words).out


def test_a_name_that_is_taken_by_a_budget_for_other_calls_is_refused(books: Say) -> None:
    assert books("set-limit", "daily", "5", "--name", "Taken", "--component", "code").code == 0
    said = books("set-limit", "daily", "5", "--name", "Taken")
    assert said.code == 2
    assert "is there, but for other calls" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dayly", "5"], "PERIOD: is not a period. Allowed: minute, hourly, daily"),
        (["rolling:0h", "5"], "PERIOD: is not a period"),
        (["5", "daily"], "PERIOD: comes first: `budget set-limit daily 5`."),
        (["daily", "-5"], "LIMIT: must not be negative."),
        (["daily", "five"], "LIMIT: must be a plain decimal"),
        (["daily", "1e3"], "LIMIT: must be a plain decimal"),
        (["daily", "NaN"], "LIMIT: must be a plain decimal"),
        (["daily", "0.1234567890"], None),
        (["daily", "0.0000000001"], "LIMIT: must have at most 9 decimals."),
        (["daily", "1000000001"], "LIMIT: must be at most 1000000000.00 USD."),
        (["daily", "1.5", "--unit", "tokens"], "LIMIT: must be a whole number of tokens"),
        (["daily", "-1", "--unit", "requests"], "LIMIT: must be a whole number of requests"),
        (["daily", "9" * 30, "--unit", "tokens"], "LIMIT: must be at most"),
        (["daily", "5", "--unit", "eur"], "--unit: 'eur' is not a unit. Allowed: usd, tokens"),
        (["daily", "5", "--policy-type", "maybe"], "--policy-type: 'maybe' is not an enforcement"),
        (["daily", "5", "--timezone", "Europe/Berlim"], "Allowed: Europe/Berlin"),
        (["daily", "5", "--warning-threshold", "80"], "--warning-threshold: must be at most 1."),
        (["daily", "5", "--action-threshold", "x"], "--action-threshold: "),
        (
            ["daily", "5", "--warning-threshold", "0.9", "--action-threshold", "0.5"],
            "--warning-threshold: must not be above --action-threshold.",
        ),
        (["daily", "5", "--hard", "--policy-type", "warn"], "--hard: says the opposite"),
        (["daily", "5", "--budget-id", "x", "--tier", "t"], "--budget-id: names the budget"),
        (["daily", "5", "--component", ""], "--component: must have 1 to 256 characters."),
    ],
)
def test_what_cannot_be_meant_is_said_with_the_word_that_was_typed(
    local: Say, words: list[str], said: str | None
) -> None:
    heard = local("set-limit", *words)
    assert heard.code == (0 if said is None else 2), heard
    if said is not None:
        assert said in heard.err
        assert heard.err.count("\n") == 1


def test_a_budget_that_is_not_there_is_exit_4(books: Say) -> None:
    said = books("set-limit", "daily", "5", "--budget-id", "bud_nothing")
    assert said.code == 4
    assert "There is no budget 'bud_nothing'" in said.err


def test_a_postgresql_database_does_as_well_as_a_file(
    say: Say, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGET_TARGET", postgres_url)
    assert say("set-limit", "daily", "5", "--hard").code == 0
    assert say("set-limit", "daily", "6", "--json").json["did"] == "changed_policy"
    (balance,) = say("status", "--json").json["balances"]
    assert (balance["limit"], balance["enforcement"]) == ("6.00", "hard_limit")
    assert say("verify").code == 0


def test_a_policy_that_is_named_is_not_made_where_its_budget_is_missing(local: Say) -> None:
    said = local("set-limit", "daily", "5", "--policy-id", "pol_nobody")
    assert said.code == 4
    assert "There is no policy 'pol_nobody'." in said.err
    assert local("budgets", "list", "--json").json["items"] == []

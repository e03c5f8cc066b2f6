"""`budget budgets top-up`, `request`, `requests`, `approve` and `reject`."""

import pytest

from budget.engine.budget import Budget
from budget.prices.book import PriceBook
from tests.cli.conftest import Say
from tests.http.running import running
from tests.support.databases import SqliteDatabases


def make_split(url: str) -> None:
    """A budget that is split by user: a limit that refuses, and one that warns."""
    with Budget.open(url, prices=PriceBook(None), sweep=False) as books:
        books.create_budget(
            name="Search",
            per=["user"],
            policies=[
                {"unit": "usd", "period": "daily", "limit": "10"},
                {"unit": "tokens", "period": "weekly", "limit": 1000, "enforcement": "warn"},
            ],
        )


@pytest.fixture
def split(say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Say `budget ...` to a database that has that budget."""
    monkeypatch.setenv("BUDGET_TARGET", sqlite_databases.new(make_split))
    return say


def asked(say: Say, amount: str, *more: str) -> str:
    """The id of a request that was made."""
    said = say("budgets", "request", "Search", amount, "--reason", "demo", *more, "--quiet")
    assert said.code == 0, said.err
    return said.out.strip()


def test_the_only_limit_that_refuses_is_raised_unless_another_is_named(split: Say) -> None:
    words = ("budgets", "top-up", "Search", "5", "--reason", "launch", "--json")
    assert split(*words).json["amount"] == "5.00"
    assert split(*words, "--unit", "tokens").json["amount"] == 5
    told = split(*words, "--period", "daily", "--partition", "user=", "--until", "2099-01-01").json
    assert told["partition"] == {"user": None}
    assert told["until"] == "2099-01-01T00:00:00Z"


def test_a_request_waits_until_it_is_granted_or_declined(split: Say) -> None:
    first, second = asked(split, "7", "--partition", "user=ann"), asked(split, "3")
    waiting = split("budgets", "requests", "--json").json["items"]
    assert {one["request_id"] for one in waiting} == {first, second}
    said = split("budgets", "approve", first, "--amount", "2", "--until", "2099-01-01")
    assert (
        said.out
        == "Granted 2.00 USD of 7.00 USD asked for to 'Search', until 2099-01-01 00:00 UTC.\n"
    )
    split("budgets", "reject", second, "--reason", "no")
    assert split("budgets", "requests").err.startswith("Nothing waits for a decision.")
    told = split("budgets", "requests", "--status", "all", "--budget", "Search").out
    assert "approved" in told
    assert "rejected" in told
    assert split("budgets", "approve", second).err == "budget: The request was rejected before.\n"


def test_nobody_grants_what_they_asked_for_themselves(
    say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(sqlite_databases.new(make_split)) as service:
        monkeypatch.setenv("BUDGET_TARGET", service.url)
        monkeypatch.setenv("BUDGET_KEY", service.key)
        made = say("keys", "create", "lead", "--scopes", "read,spend,manage", "--quiet")
        monkeypatch.setenv("BUDGET_KEY", made.out.strip())
        said = say("budgets", "approve", asked(say, "7"))
    assert said.code == 3
    assert said.err == (
        "budget: This key asked for it; let another one with the right `manage` approve it.\n"
    )


TOP_UP = ("top-up", "Search", "5", "--reason", "x")
REQUEST = ("request", "Search", "5", "--reason", "x")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("top-up", "Search"), 2, "AMOUNT"),
        (("top-up", "Search", "5"), 2, "--reason: is required"),
        (("top-up", "Search", "5", "--reason", " "), 2, "--reason: is required"),
        (("top-up", "Search", "five", "--reason", "x"), 2, "AMOUNT: must be a plain decimal"),
        (("top-up", "Search", "--reason", "x", "--", "-5"), 2, "AMOUNT: must not be negative."),
        (("top-up", "Search", "0", "--reason", "x"), 2, "AMOUNT: "),
        ((*TOP_UP, "--until", "2020-01-01"), 2, "--until: must lie in the future."),
        ((*TOP_UP, "--until", "soon"), 2, "--until: must be a day, or a time with"),
        ((*TOP_UP, "--partition", "user"), 2, "--partition: 'user' is not KEY=VALUE."),
        ((*TOP_UP, "--partition", "team=a"), 2, "--partition team: is not what this policy"),
        ((*TOP_UP, "--period", "dayly"), 2, "--period: is not a period."),
        ((*TOP_UP, "--period", "monthly"), 4, "'Search' has no limit monthly"),
        ((*TOP_UP, "--unit", "eur"), 2, "--unit: 'eur' is not a unit."),
        ((*TOP_UP, "--policy-id", "pol_x"), 4, "'Search' has no limit pol_x"),
        (("top-up", "nothing", "5", "--reason", "x"), 4, "There is no budget 'nothing'."),
        (("request", "Search", "5"), 2, "--reason: is required"),
        (("request", "Search", "x", "--reason", "x"), 2, "AMOUNT: must be a plain decimal"),
        ((*REQUEST, "--expires", "soon"), 2, "--expires: 'soon' is not a duration"),
        ((*REQUEST, "--expires", "1s"), 2, "--expires: must be 60 to"),
        ((*REQUEST, "--until", "2020-01-01"), 2, "--until: must lie in the future."),
        ((*REQUEST, "--partition", "user=a", "--unit", "eur"), 2, "--unit: 'eur'"),
        (("requests", "--status", "open"), 2, "--status: 'open' is not known."),
        (("requests", "--budget", "nothing"), 4, "There is no budget 'nothing'."),
        (("requests", "--limit", "0"), 2, "--limit: must be 1 or more."),
        (("approve", "req_x"), 4, "There is no request 'req_x'."),
        (("approve", "req_x", "--amount", "2"), 4, "There is no request 'req_x'."),
        (("reject", "req_x"), 2, "--reason: is required"),
        (("reject", "req_x", "--reason", "x"), 4, "There is no request 'req_x'."),
    ],
)
def test_bad_values_are_told(split: Say, words: tuple[str, ...], code: int, said: str) -> None:
    answer = split("budgets", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--amount", "lots"), "--amount: must be a plain decimal"),
        (("--amount", "8"), "--amount: must be at most what was asked for"),
        (("--until", "soon"), "--until: must be a day, or a time with"),
        (("--note", "x" * 10_000), "--note: "),
    ],
)
def test_a_grant_that_cannot_be_is_told(split: Say, options: tuple[str, ...], said: str) -> None:
    answer = split("budgets", "approve", asked(split, "7"), *options)
    assert answer.code == 2
    assert said in answer.err

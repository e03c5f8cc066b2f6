"""`budget route`. What costs what is set here, so that no price of others matters."""

import pytest

from tests.cli.conftest import Say
from tests.cli.test_recommend import priced
from tests.support.databases import SqliteDatabases

CALL = ("route", "--model", "big", "--provider", "acme", "--input-tokens", "600",
        "--max-output-tokens", "400")  # fmt: skip
"""At 10 USD a million 0.01 USD; at 1 USD 0.001."""


def limited(url: str, usd: str) -> None:
    """The prices, and a hard limit a day."""
    from budget.engine.budget import Budget

    priced(url)
    with Budget.open(url, sweep=False) as books:
        books.create_budget(
            name="Team",
            policies=[
                {"unit": "usd", "period": "daily", "limit": usd, "enforcement": "hard_limit"}
            ],
        )


@pytest.mark.parametrize(
    ("usd", "code", "first"),
    [
        ("0.01", 0, "Call acme/big: 0.01 USD at most."),
        ("0.005", 0, "Call acme/small: 0.001 USD at most."),
        ("0", 3, "No model may be called."),
    ],
)
def test_the_model_to_call_is_told_and_whether_any_may_be(
    say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch,
    usd: str, code: int, first: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("BUDGET_TARGET", sqlite_databases.new(lambda url: limited(url, usd)))
    said = say(*CALL)
    assert (said.code, said.out.splitlines()[0]) == (code, first)
    assert say(*CALL, "--json").json["allowed"] == (code == 0)
    said = say(*CALL, "--capability", "dance")
    assert said.code == 2
    assert "--capability" in said.err


def test_the_model_may_stand_without_its_option(
    say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGET_TARGET", sqlite_databases.new(lambda url: limited(url, "0.01")))
    said = say("route", "big", *CALL[3:])
    assert (said.code, said.out) == (0, say(*CALL).out)
    twice = say("route", "small", *CALL[1:])
    assert (twice.code, "is more than `budget route` takes" in twice.err) == (2, True)

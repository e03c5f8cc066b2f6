"""`budget recommend`. What costs what is set here, so that no price of others matters."""

from pathlib import Path

import pytest

from budget.engine.budget import Budget
from budget.engine.price_book.settings import PriceSettings
from tests.cli.conftest import Say
from tests.support.databases import SqliteDatabases


def priced(url: str) -> None:
    """Prices of two models of a provider that nobody else knows."""
    from budget.engine.books import Books

    with Budget(Books.open(url, price_settings=PriceSettings(), sweep=False)) as books:
        for model, usd in (("big", "10"), ("small", "1")):
            books.set_price(provider="acme", model=model, input=usd, output=usd, reason="test")


@pytest.fixture
def acme(say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Say `budget ...` to a database that has these prices."""
    monkeypatch.setenv("BUDGET_TARGET", sqlite_databases.new(priced))
    return say


def test_what_is_cheaper_is_told_with_what_it_saves(acme: Say) -> None:
    words = (
        "--model",
        "big",
        "--provider",
        "acme",
        "--context-size",
        "600",
        "--output-size",
        "400",
    )
    said = acme("recommend", *words)
    lines = said.out.splitlines()
    # A thousand tokens at 10 USD a million are 0.01 USD, at 1 USD 0.001: 0.009, 90%, are saved.
    assert lines[0] == "A call of 600 tokens in, 400 out; acme/big costs 0.01 USD."
    assert lines[-1].split() == ["acme/small", "perhaps", "0.001", "0.009", "90.0", "1.00", "1.00"]
    assert said.err.startswith("Perhaps: ")
    told = acme("recommend", *words, "--json").json
    assert told["items"][0]["savings_percent"] == "90.00"
    said = acme("recommend", *words, "--max-cost", "0.0009")
    assert said.out.splitlines()[1] == "No model that would do is cheaper."
    said = acme("recommend", "--prefer-provider", "acme", "--task-type", "chat")
    assert "acme/big" in said.out


def test_no_database_is_needed(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGET_TARGET", f"sqlite:///{home}/none.db")
    assert say("recommend", "--model", "gpt-4o").code == 0
    assert not (home / "none.db").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "--model: is required, or a provider, or --prefer-provider."),
        (("--model", "big", "--max-cost", "cheap"), 2, "--max-cost: must be a plain decimal"),
        (("--model", "big", "--context-size", "-1"), 2, "--context-size: must not be negative."),
        (("--model", "big", "--output-size", "long"), 2, "--output-size"),
        (("--model", "big", "--task-type", ""), 2, "--task-type: must have 1 to 256 characters."),
        (("--model", ""), 2, "--model: must have 1 to 256 characters."),
        (("--model", "nobody-sells-this"), 4, "nobody-sells-this"),
        (("--provider", "nobody"), 4, "There is no provider 'nobody'."),
        (("--prefer-provider", "nobody"), 4, "There is no provider 'nobody'."),
    ],
)
def test_bad_values_are_told(acme: Say, options: tuple[str, ...], code: int, said: str) -> None:
    answer = acme("recommend", *options)
    assert (answer.code, answer.out) == (code, ""), answer.err
    assert said in answer.err

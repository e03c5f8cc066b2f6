"""What a command is given to name a budget, a limit or a key: its id, or a name it alone has."""

from collections.abc import Iterator

import pytest

from budget.cli import naming
from budget.domain.budgets import Budget as Made
from budget.domain.errors import InvalidInput, NotFound
from budget.engine.budget import Budget
from budget.prices.book import PriceBook
from tests.cli.conftest import make_ledger
from tests.support.databases import SqliteDatabases


@pytest.fixture
def books(sqlite_databases: SqliteDatabases) -> Iterator[Budget]:
    """Books of the test's own."""
    url = sqlite_databases.new(make_ledger)
    with Budget.open(url, prices=PriceBook(None), sweep=False) as opened:
        yield opened


def make(books: Budget, name: str, *limits: tuple[str, str, str | int]) -> Made:
    """A budget with limits of (period, unit, limit); with one of 1 USD if none is given."""
    limits = limits or (("total", "usd", "1"),)
    return books.create_budget(
        name=name,
        policies=[{"period": period, "unit": unit, "limit": most} for period, unit, most in limits],
    )


def test_a_budget_is_found_by_its_id_and_by_its_name(books: Budget) -> None:
    search = make(books, "Search")
    make(books, "Search, nightly")
    assert naming.find_budget(books, search.budget_id) == search
    assert naming.find_budget(books, "Search") == search
    assert naming.find_budget(books, " search ") == search


def test_the_same_capitals_are_preferred(books: Budget) -> None:
    small, large = make(books, "ops"), make(books, "OPS")
    assert naming.find_budget(books, "ops") == small
    assert naming.find_budget(books, "OPS") == large
    with pytest.raises(InvalidInput, match="2 are called 'Ops'"):
        naming.find_budget(books, "Ops")


def test_a_name_that_several_have_is_told_with_their_ids(books: Budget) -> None:
    one, other = make(books, "Twins"), make(books, "Twins")
    with pytest.raises(InvalidInput, match=f"BUDGET: .*{one.budget_id}, {other.budget_id}"):
        naming.find_budget(books, "Twins")


def test_a_budget_that_is_not_there_is_told_with_those_that_are_alike(books: Budget) -> None:
    make(books, "Search")
    with pytest.raises(NotFound, match=r"no budget 'ear'\. Is it one of these: 'Search'\?"):
        naming.find_budget(books, "ear")
    with pytest.raises(NotFound, match="`budget budgets list` lists them"):
        naming.find_budget(books, "nothing")
    with pytest.raises(InvalidInput):
        naming.find_budget(books, "  ")


def test_an_archived_budget_is_found_by_its_id_alone(books: Budget) -> None:
    gone = make(books, "Gone")
    books.archive_budget(gone.budget_id)
    assert naming.find_budget(books, gone.budget_id).archived_us is not None
    with pytest.raises(NotFound):
        naming.find_budget(books, "Gone")


def test_a_limit_is_found_by_what_tells_it_from_the_others(books: Budget) -> None:
    made = make(books, "Search", ("daily", "usd", "5"), ("daily", "tokens", 1000))
    in_usd, in_tokens = made.policies
    find = naming.find_policy
    assert find(books, "Search", unit="tokens") == in_tokens
    assert find(books, "Search", period="daily", unit="usd") == in_usd
    assert find(books, "Search", policy_id=in_usd.policy_id) == in_usd
    assert find(books, None, policy_id=in_usd.policy_id) == in_usd
    with pytest.raises(InvalidInput, match=r"--policy-id: .*5\.00 USD daily \(hard_limit\)"):
        find(books, "Search")
    with pytest.raises(NotFound, match=r"'Search' has no limit weekly: 5\.00 USD daily"):
        find(books, "Search", period="weekly")
    with pytest.raises(InvalidInput, match="--period"):
        find(books, "Search", period="fortnightly")
    with pytest.raises(InvalidInput, match="BUDGET"):
        find(books, None)


def test_a_key_is_found_by_its_id_and_by_its_name(books: Budget) -> None:
    key = books.create_key(name="ann", scopes=["read"])
    assert naming.find_key(books, "ann").key_id == key.key_id
    assert naming.find_key(books, key.key_id).name == "ann"
    books.create_key(name="ann", scopes=["spend"])
    with pytest.raises(InvalidInput, match=f"2 are called 'ann'.*{key.key_id} \\(live\\)"):
        naming.find_key(books, "ann")
    with pytest.raises(NotFound, match="`budget keys list` lists them"):
        naming.find_key(books, "bob")

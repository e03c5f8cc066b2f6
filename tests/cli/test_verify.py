"""`budget verify` proves the books, and says what is wrong with books that were tampered with."""

import sqlite3

import pytest

from budget.engine.budget import Budget
from budget.engine.settings import Settings
from tests.cli.conftest import Say


@pytest.fixture
def spent(local: Say) -> Say:
    """Local books with a limit and a call that was settled."""
    local("set-limit", "monthly", "10", "--hard")
    with Budget.open(Settings.read().target, sweep=False) as books:
        held = books.allocate(
            allocation_id="a1", model="gpt-4o", input_tokens=1000, max_output_tokens=100
        )
        assert held.__class__.__name__ == "Allocation"
        books.settle("a1", input_tokens=1000, output_tokens=50)
    return local


def test_sound_books_are_exit_0(spent: Say) -> None:
    said = spent("verify")
    assert said.code == 0, said
    assert said.out.startswith("The books add up")
    assert spent("verify", "--json").json["clean"] is True


def test_a_service_verifies_its_books(remote: Say) -> None:
    assert remote("verify", "--json").json["clean"] is True


def test_one_nano_that_was_slipped_in_is_found_and_is_exit_1(spent: Say) -> None:
    file = Settings.read().target.removeprefix("sqlite:///")
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE heads SET spent = spent + 1")
    connection.close()
    said = spent("verify")
    assert said.code == 1
    assert "violation" in said.out
    told = spent("verify", "--json").json
    assert told["clean"] is False
    assert told["violations"]


def test_where_there_are_no_books_nothing_is_made(say: Say) -> None:
    said = say("verify")
    assert said.code == 4
    assert "There is no ledger" in said.err

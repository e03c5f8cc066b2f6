"""`budget explain` says why a call was admitted or refused, with each limit's numbers."""

import pytest

from budget.domain.answers import Allocation
from tests.cli.conftest import Say
from tests.cli.spent import limit, opened, spend, table


@pytest.fixture
def used(local: Say) -> Say:
    """A limit of 1 USD, of which 0.75 are spent."""
    limit("1", hard=True, name="All")
    spend(0, "m-small", "0.75", user="ann")
    return local


def test_a_refusal_names_the_limit_and_its_numbers(used: Say) -> None:
    with opened() as books:
        books.allocate(usd="0.5", attributes={"user": "bob"})
    said = used("explain", "--last-refusal")
    assert said.code == 0
    first, _, row = said.out.splitlines()
    assert first.startswith("A call of user=bob was refused at ")
    (cells,) = table(row)
    assert cells == [
        "All", "daily", "usd", "1.00", "0.75", "0.00", "0.00", "0.50", "0.25",
        "refused, short by 0.25",
    ]  # fmt: skip
    assert used("explain", "--last-refusal", "--json").json["limits"][0]["shortfall"] == "0.25"


def test_an_allocation_tells_what_it_met_and_what_came_later(used: Say) -> None:
    with opened() as books:
        held = books.allocate(usd="0.2")
        assert isinstance(held, Allocation)
        books.release(held.allocation_id, reason="not made")
    lines = used("explain", held.allocation_id).out.splitlines()
    assert "was admitted at" in lines[0]
    assert table(lines[2])[0][3:9] == ["1.00", "0.75", "0.00", "0.00", "0.20", "0.25"]
    assert lines[3] == "Held 0.20 USD."
    assert lines[4].startswith("Later: released at ")
    assert lines[4].endswith(": not made")


def test_a_call_that_is_described_is_told_what_would_become_of_it(used: Say) -> None:
    assert "Would be admitted. It would hold 0.20 USD." in used("explain", "--usd", "0.2").out
    assert "Would be refused: " in used("explain", "--usd", "0.5").out
    with opened() as books:
        assert books.allocations().items == []


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ([], 2, "CALL"),
        (["alloc_1", "--last-refusal"], 2, "CALL"),
        (["--last-refusal"], 4, "Nothing was refused"),
        (["alloc_nothing"], 4, "alloc_nothing"),
        (["--usd", "much"], 2, "--usd"),
        (["--tokens", "-1"], 2, "--tokens"),
        (["--model", ""], 2, "--model"),
        (["--provider", "", "--usd", "1"], 2, "--provider"),
        (["--input-tokens", "few"], 2, "--input-tokens"),
        (["--model", "gpt-4o", "--input-tokens", "-1"], 2, "--input-tokens"),
        (["--model", "gpt-4o", "--max-output-tokens", "-1"], 2, "--max-output-tokens"),
        (["--usd", "1", "--attribute", "team"], 2, "--attribute"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(
    local: Say, words: list[str], code: int, named: str
) -> None:
    said = local("explain", *words)
    assert said.code == code, said
    assert named in said.err
    assert said.err.count("\n") == 1


def test_an_alert_is_told_by_who_spent_before_it(used: Say) -> None:
    spend(0, "m-small", "0.15", user="bob", component="crawler")
    with opened() as books:
        (alert,) = books.alerts(kind="warning").items
    lines = used("explain", alert.alert_id).out.splitlines()
    assert lines[0] == (
        "All: 0.90 USD of the daily limit of 1.00 USD is spent; the warning threshold is 80%."
    )
    assert lines[1].endswith("requests used 0.90 USD.")
    said = [cells[:4] for cells in table("\n".join(lines[3:-1]))]
    assert ["component", "(none)", "0.75", "83.33%"] in said
    assert ["component", "crawler", "0.15", "16.66%"] in said
    assert lines[-1].startswith("Way: alert warning - policy daily usd hard_limit - budget All - ")
    told = used("explain", alert.alert_id, "--json").json
    assert told["by"]["component"][1]["share"] == "0.1666"
    assert used("explain", "alert_none").code == 4

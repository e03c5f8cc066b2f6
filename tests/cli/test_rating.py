"""`budget prices rerate`, `budget prices coverage` and `budget whatif`, here and on a service."""

from datetime import datetime, timedelta

import pytest

from budget.engine.budget import Budget
from budget.engine.settings import Settings
from tests.cli.conftest import Say

OWN = '{"prices": [{"model": "house-large", "input": "1", "output": "2"}]}'
"""USD per million tokens."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of own prices."""
    file = tmp_path_factory.mktemp("own") / "own.json"
    file.write_text(OWN)
    return str(file)


@pytest.fixture
def used(local: Say) -> Say:
    """Local books with usage of a model that has a price, and of one that has none."""
    with Budget.open(Settings.read().target, sweep=False) as books:
        ask = {"unit": "usd", "period": "monthly", "limit": "10"}
        books.create_budget(name="B", unpriced="allow", policies=[ask])  # type: ignore[list-item]
        for day, team in ((1, "a"), (2, "b")):
            books.record_usage(
                model="gpt-4o", input_tokens=1_000_000, output_tokens=0,
                occurred_at=f"2026-01-0{day}T12:00:00Z", attributes={"team": team},
            )  # fmt: skip
        books.record_usage(
            model="house-large", input_tokens=500_000, output_tokens=0,
            occurred_at="2026-01-02T13:00:00Z",
        )  # fmt: skip
    return local


def test_a_file_of_prices_is_tried_and_then_applied(used: Say, own: str) -> None:
    asked = ("prices", "rerate", "--from", "2026-01-01", "--to", "2026-01-03", "--book", own)
    looked = used(*asked)
    assert looked.code == 0, looked
    assert looked.out.startswith("Usage of 2026-01-01 to 2026-01-03 at the prices of ")
    assert "3 records, 1 changed, 2 unchanged, 0 without a price." in looked.out
    assert "Booked 5.00 USD, priced 5.50 USD: a difference of 0.50 USD." in looked.out
    assert "Nothing was booked; --apply --reason WHY books the difference." in looked.err
    applied = used(*asked, "--apply", "--reason", "it has a price now")
    assert "1 record re-rated." in applied.out
    again = used(*asked, "--apply", "--reason", "it has a price now", "--json").json
    assert (again["changed"], again["booked"], again["old_cost"]) == (0, 0, "5.50")
    assert used("verify").code == 0


def test_a_book_that_is_named_wins_over_what_was_set_and_a_basis_does_not(
    used: Say, own: str
) -> None:
    used("prices", "set", "house-large", "--input", "5", "--output", "9", "--from", "2026-01-01",
         "--reason", "r")  # fmt: skip
    asked = ("prices", "rerate", "--from", "2026-01-01", "--to", "2026-01-03")
    # Half a million tokens at 5 USD, and by the file at 1 USD.
    assert used(*asked, "--json").json["new_cost"] == "7.50"
    by_file = used(*asked, "--book", own)
    assert "priced 5.50 USD" in by_file.out
    assert "win over every source" not in by_file.err
    basis = used("prices", "show", "gpt-4o", "--json").json["basis"]
    by_basis = used(*asked, "--basis", basis)
    assert "priced 7.50 USD" in by_basis.out
    assert "1 record priced by what was set or by the own file" in by_basis.err


def test_a_part_of_the_past_is_re_rated(used: Say) -> None:
    told = used("prices", "rerate", "--from", "2026-01-02", "--to", "2026-01-03", "--json").json
    assert (told["examined"], told["unpriced"]) == (2, 1)
    for words in (["--model", "openai/gpt-4o"], ["--attribute", "team=b"]):
        told = used("prices", "rerate", "--from", "2026-01-02", *words, "--json").json
        assert told["examined"] == 1, words


def test_what_if_tells_each_day(used: Say) -> None:
    said = used("whatif", "--model", "gpt-4o=openai/gpt-4o-mini", "--from", "2026-01-01")
    assert said.code == 0, said
    assert "2 records exchanged, 1 others." in said.out
    assert "\n2026-01-01" in said.out
    assert "\n2026-01-02" in said.out
    # 2 x 2.50 USD, and 2 x 0.15 USD.
    assert "Cost 5.00 USD, would be 0.30 USD: a difference of -4.70 USD (-94.0%)." in said.out
    assert "tokenizer" in said.out


def test_coverage_lists_what_has_no_price(used: Say) -> None:
    said = used("prices", "coverage", "--from", "2026-01-01", "--to", "2026-02-01")
    assert said.code == 0, said
    assert "house-large" in said.out
    assert "1 record booked without a cost" in said.out
    told = used("prices", "coverage", "--from", "2026-01-01", "--json").json
    assert told["unpriced"]["calls_share"] == "0.3333"
    assert used("prices", "coverage", "--from", "2026-03-01", "--to", "2026-04-01").out == (
        "No calls were booked in 2026-03-01 to 2026-04-01.\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["prices", "rerate"], 2, "--from"),
        (["prices", "rerate", "--from", "yesterday"], 2, "--from: must be a day, or a time"),
        (["prices", "rerate", "--from", "2026-02-30"], 2, "--from: is not a date"),
        (["prices", "rerate", "--from", "2026-02-01", "--to", "2026-01-01"], 2, "before until"),
        (["prices", "rerate", "--from", "2026-01-01", "--apply"], 2, "reason: is required"),
        (["prices", "rerate", "--from", "2026-01-01", "--reason", "r"], 2, "give apply"),
        (["prices", "rerate", "--from", "2026-01-01", "--attribute", "x"], 2, "KEY=VALUE"),
        (["prices", "rerate", "--from", "2026-01-01", "--book", "/no.yaml"], 2, "/no.yaml"),
        (["prices", "rerate", "--from", "2026-01-01", "--basis", "no/1/2"], 4, "no/1/2"),
        (["prices", "coverage", "--from", "May"], 2, "--from: "),
        (["whatif"], 2, "--model"),
        (["whatif", "--model", "gpt-4o"], 2, "is not A=B"),
        (["whatif", "--model", "a=b", "--model", "a=c"], 2, "choose one"),
        (["whatif", "--model", "gpt-4o=unheard-of"], 4, "'unheard-of' is not known"),
        (["whatif", "--model", "gpt-4o=gpt-4o-mini", "--at", "noon"], 2, "--at"),
    ],
)
def test_mistakes_are_one_sentence(local: Say, words: list[str], code: int, part: str) -> None:
    said = local(*words)
    assert said.code == code, said
    assert part in said.err
    assert said.err.count("\n") == 1


def test_a_service_answers_the_same(remote: Say, own: str) -> None:
    asked = ("prices", "rerate", "--from", "2026-01-01")
    assert remote(*asked, "--json").json["examined"] == 0
    assert remote(*asked, "--apply", "--reason", "r").code == 0
    assert remote("prices", "coverage").out.startswith("No calls were booked in ")
    said = remote("whatif", "--model", "gpt-4o=gpt-4o-mini")
    assert "No usage of 'gpt-4o' was found in this time." in said.out
    refused = remote(*asked, "--book", own)
    assert refused.code == 2
    assert "target: must be a database" in refused.err


def test_a_time_that_is_over_may_be_said_as_how_long_ago(local: Say) -> None:
    assert local("set-limit", "daily", "5").code == 0
    for words in (
        ("prices", "rerate"), ("prices", "coverage"), ("whatif", "--model", "gpt-4o=gpt-4o-mini"),
        ("simulate", "--limit", "5/daily"), ("report",), ("export", "csv"), ("audit",),
        ("alerts", "list"),
    ):  # fmt: skip
        heard = local(*words, "--from", "7d", "--to", "1h")
        assert (heard.code, heard.err.count("must be")) == (0, 0), (words, heard)
        mistyped = local(*words, "--from", "7y")
        assert (mistyped.code, "--from: must be a day" in mistyped.err) == (2, True), words
    told = local("prices", "coverage", "--from", "2w", "--to", "1w", "--json").json
    since, until = (datetime.fromisoformat(told[name]) for name in ("since", "until"))
    # Counted to the hour: both ends may be moved by less than one.
    assert abs(until - since - timedelta(days=7)) <= timedelta(hours=1)

"""`budget reconcile` holds the books against a provider's export, by day and model."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Say
from tests.cli.spent import opened, spend, today


@pytest.fixture
def used(local: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """A call of 110 tokens and 0.25 USD yesterday, one of 1.5 USD today."""
    monkeypatch.chdir(tmp_path)
    spend(1, "m-small", "0.25")
    spend(0, "m-large", "1.5")
    return local


def export(*rows: str) -> str:
    Path("theirs.csv").write_text(
        "occurred_at,model,input_tokens,output_tokens,cost\n" + "\n".join(rows) + "\n"
    )
    return "theirs.csv"


def test_books_that_agree_within_the_tolerance_end_with_0(used: Say) -> None:
    file = export(f"{today(1)},M-small,100,10,0.252", f"{today()},m-large,100,10,1.5")
    said = used("reconcile", file, "--format", "csv")
    assert said.code == 0, said.out + said.err
    assert "2 days and models: agrees." in said.out
    stricter = used("reconcile", file, "--format", "csv", "--tolerance", "0.5%")
    assert stricter.code == 1  # 0.002 of 0.252 is 0.79%
    assert "-0.002" in stricter.out


def test_what_is_missing_on_either_side_is_told(used: Say) -> None:
    file = export(f"{today(1)},m-small,100,10,0.25", f"{today()},m-other,1,1,0.1")
    said = used("--json", "reconcile", file, "--format", "csv")
    assert said.code == 1
    told = {(row["model"], row["verdict"]) for row in said.json["rows"]}
    assert told == {
        ("m-small", "agrees"), ("m-large", "missing there"), ("m-other", "missing here"),
    }  # fmt: skip


def test_our_own_focus_export_agrees_to_the_nano_corrections_with_it(used: Say) -> None:
    with opened() as books:
        books.correct(spend(0, "m-large", "9"), reason="wrong")
    assert used("export", "focus", "--output", "ours.csv").code == 0
    said = used("reconcile", "ours.csv", "--format", "focus", "--tolerance", "0%")
    assert said.code == 0, said.out + said.err


def test_costs_alone_are_compared_without_tokens(used: Say) -> None:
    page = {"data": [{"start_time": 0, "results": []}]}
    Path("costs.json").write_text(json.dumps(page))
    said = used(
        "reconcile", "costs.json", "--format", "openai", "--from", today(1), "--to", today()
    )
    assert said.code == 0  # the books have nothing of openai, and neither has the export
    assert "0 days and models: agrees." in said.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("x.csv",), 2),
        (("x.csv", "--format", "word"), 2),
        (("nowhere.csv", "--format", "csv"), 4),
        (("x.csv", "--format", "csv", "--tolerance", "-1%"), 2),
        (("x.csv", "--format", "csv", "--tolerance", "101%"), 2),
        (("x.csv", "--format", "csv", "--tolerance", "nan"), 2),
        (("x.csv", "--format", "csv", "--from", "x"), 2),
        (("x.csv", "--format", "csv", "--to", "1999-13-01"), 2),
        (("x.csv", "--format", "csv", "--from", "2999-01-01"), 2),
        (("x.csv", "--format", "csv", "--timezone", "Mars"), 2),
        (("x.csv", "--format", "csv", "--map", "a"), 2),
        (("x.csv", "--format", "focus", "--map", "a=id"), 2),
        (("empty.csv", "--format", "csv"), 2),
    ],
)
def test_a_value_that_will_not_do_is_told_in_a_sentence(
    used: Say, words: tuple[str, ...], code: int
) -> None:
    Path("x.csv").write_text("occurred_at,input_tokens\n2026-01-01,1\n")
    Path("empty.csv").write_text("")
    said = used("reconcile", *words)
    assert said.code == code, said.out + said.err
    assert len(said.err.splitlines()) == 1
    assert "should not happen" not in said.err

"""`budget calc-cost`: lines that add up, on the bundled prices, without a ledger."""

from pathlib import Path

import pytest

from tests.cli.conftest import Say
from tests.cli.test_serve import heard
from tests.support.command import start_service, stop_service


def test_each_kind_has_a_line_and_the_total_is_theirs(say: Say, tmp_path: Path) -> None:
    said = say(
        "calc-cost", "--provider", "openai", "--model", "gpt-4o",
        "--input-tokens", "1000", "--output-tokens", "500", "--cache-read-tokens", "400",
        "--unit", "searches=2",
    )  # fmt: skip
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    # 600 x 2.5e-6, 400 x 1.25e-6, 500 x 10e-6, 2 x 0.01
    assert [line[-1] for line in lines[2:-1]] == ["0.0015", "0.0005", "0.005", "0.02"]
    assert lines[-1] == ["Total", "0.027", "USD"]
    assert list(tmp_path.rglob("*.db")) == []


def test_programs_get_the_shape_of_the_api(say: Say) -> None:
    said = say("calc-cost", "--model", "gpt-4o", "--input-tokens", "7", "--json")
    told = said.json
    assert (told["total_cost"], told["input_cost"], told["output_cost"]) == (
        "0.0000175", "0.0000175", "0.00",
    )  # fmt: skip
    assert told["lines"][0]["rate"] == "0.0000025"


def test_a_price_file_wins_over_the_bundled_prices_here_and_in_the_service(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.csv"
    file.write_text("model,input,output\ngpt-4o,7,9\n")
    asked = ["calc-cost", "--model", "gpt-4o", "--input-tokens", "1000000", "--json"]
    served = start_service(tmp_path, "--prices", str(file))
    monkeypatch.setenv("BUDGET_KEY", served.key)
    there = say(*asked, "--target", served.url)
    assert stop_service(served) == 0
    monkeypatch.setenv("BUDGET_PRICES", str(file))
    here = say(*asked)
    for said in (here, there):
        assert said.json["total_cost"] == "7.00"
        assert said.json["basis"].startswith("own/")


def test_a_mistake_in_a_price_file_ends_the_start_before_there_is_a_ledger(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("prices: [{model: gpt-4o, input: -7, output: 9}]")
    target = f"sqlite:///{tmp_path / 'b.db'}"
    said = heard(tmp_path, "serve", "--port", "0", "--target", target, "--prices", str(file))
    assert said.returncode == 2
    assert "own.yaml: price 1, input: must be a price in USD of 0 or more" in said.stderr
    assert said.stderr.count("\n") == 1
    assert list(tmp_path.rglob("*.db")) == []


def test_a_context_without_a_price_of_its_own_is_said_to_cost_the_usual(say: Say) -> None:
    asked = ("calc-cost", "--model", "openai/gpt-4o", "--input-tokens", "1000000", "--context")
    batch = say(*asked, "processing=batch")
    assert (batch.out.splitlines()[-1], batch.err) == ("Total 1.25 USD", "")
    typo = say(*asked, "processing=bacth")
    assert typo.out.splitlines()[-1] == "Total 2.50 USD"
    assert typo.err == (
        "There is no price of its own for processing=bacth: this is that without it.\n"
    )


def test_hired_seconds_are_a_unit_as_in_a_price_file(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("prices: [{model: hired, units: {gpu_second: 0.0005}}]")
    monkeypatch.setenv("BUDGET_PRICES", str(file))
    said = say("calc-cost", "--model", "hired", "--unit", "gpu_second=90")
    # 90 s at 0.0005 USD.
    assert said.out.splitlines()[-1] == "Total 0.045 USD"


def test_how_the_name_was_read_is_said(say: Say) -> None:
    said = say("calc-cost", "--model", "azure/gpt-4o-2024-08-06")
    first, second, *_ = said.out.splitlines()
    assert first.startswith("azure gpt-4o, prices of genai-prices/")
    assert second.startswith("Read as prefix azure/; ")


def test_units_whose_price_is_not_known_are_named(say: Say) -> None:
    said = say("calc-cost", "--model", "gpt-4o", "--unit", "pages=3")
    assert "The price of pages is not known: that is in no figure." in said.out


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--model", "unheard-of"], 4, "The price of model 'unheard-of' is not known."),
        ([], 2, "--model"),
        (["--model", "gpt-4o", "--input-tokens", "-3"], 2, "--input-tokens: must not be"),
        (["--model", "gpt-4o", "--input-tokens", "many"], 2, "--input-tokens"),
        (["--model", "gpt-4o", "--unit", "searches"], 2, "such as searches=2"),
        (["--model", "gpt-4o", "--unit", "smells=2"], 2, "units.smells: is not a unit."),
        (["--model", "gpt-4o", "--at", "noon"], 2, "at: "),
    ],
)
def test_mistakes_are_one_sentence(say: Say, words: list[str], code: int, part: str) -> None:
    said = say("calc-cost", *words)
    assert said.code == code
    assert part in said.err
    assert said.err.count("\n") == 1

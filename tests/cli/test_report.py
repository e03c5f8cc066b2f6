"""`budget report` tells of a day, a week or a month, on every kind of page."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from budget.cli.report_html import page
from budget.cli.report_pages import csv as as_csv
from budget.cli.report_pages import markdown
from budget.cli.report_sections import Section
from budget.cli.tables import Column, Row
from tests.cli.conftest import Say
from tests.cli.spent import limit, opened, spend

EVIL = "<script>alert(1)</script>"
FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture
def used(local: Say) -> Say:
    """A hard limit of 2 USD a day; 1.5 USD of today and 1 USD of yesterday; one call refused."""
    limit("2", hard=True)
    spend(1, "m-small", "1", component="code")
    spend(0, "m-large", "1.5", component=EVIL, user="ann")
    with opened() as books:
        books.allocate(usd="0.75", attributes={"user": "ann", "component": "code"})
    return local


def test_a_day_in_the_terminal_tells_spend_limits_who_and_what_was_refused(used: Say) -> None:
    said = used("report", "day")
    assert (said.code, said.err) == (0, "")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "Spend USD 1.50 1.00 +50.0" in lines
    assert "Requests 1 1 +0.0" in lines
    assert "Default Budget daily usd 1.50 0.00 2.00 75.0 hard_limit" in lines
    assert "m-large 1 110 1.50 100.0" in lines
    assert "ann 1 110 1.50 100.0" in lines
    assert "Default Budget user=ann component=code 1" in lines
    assert "1 in all, counted for each limit." in lines


def test_attributes_choose_whose_usage_it_tells_of(used: Say) -> None:
    said = used("report", "day", "--attribute", "component=code", "--json")
    assert said.json["usage"]["total_cost"] == "0.00"
    assert said.json["before"]["cost"] == "1.00"
    assert [one["why"] for one in said.json["refusals"]] == [
        "asked 0.75 USD, 0.25 USD over the limit of 2.00 USD"
    ]
    assert [one["limit"] for one in said.json["limits"]] == ["2.00"]


class Tags(HTMLParser):
    """The tags of a page, and what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_html_page_loads_nothing_and_shows_text_as_text(used: Say, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    said = used("report", "day", "--output", str(file))
    assert said.code == 0
    assert said.out == ""
    text = file.read_text()
    read = Tags()
    read.feed(text)
    assert "script" not in read.tags
    assert {"table", "svg", "rect"} <= read.tags
    assert read.loaded == []
    assert "url(" not in text
    assert "&lt;script&gt;" in text
    assert list(tmp_path.glob(".report*")) == []


def test_pages_keep_pipes_formulas_and_tags_from_meaning_anything() -> None:
    columns = (Column("Name|"), Column("USD", "amount"))
    told = [Section("S <b>", columns, [Row((FORMULA, "-1.50")), Row(("a|b\nc", "2.00"))])]
    assert markdown("H", told).splitlines()[4:8] == [
        "| Name\\| | USD |",
        "|---|---:|",
        "| =cmd\\|' /C calc'!A0 | -1.50 |",
        "| a\\|b c | 2.00 |",
    ]
    rows = list(csv.reader(as_csv(told).splitlines(keepends=True)))
    assert rows[1] == ["S <b>", "'" + FORMULA, "-1.50"]
    assert rows[2] == ["S <b>", "a|b\nc", "2.00"]
    assert "<b>" not in page("H", told)


def test_csv_and_markdown_are_written_by_what_the_file_is_called(used: Say, tmp_path: Path) -> None:
    for name, begins in (("r.csv", "Section,"), ("r.md", "# Budget, day from")):
        used("report", "day", "--output", str(tmp_path / name))
        assert (tmp_path / name).read_text().startswith(begins)
    assert json.loads(used("report", "--json").out)["usage"]["count"] >= 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["year"], "year"),
        (["--format", "pdf"], "--format"),
        (["--output", "/no/such/folder/report.md"], "--output"),
        (["--output", "/tmp"], "--output"),
        (["--from", "soon"], "--from"),
        (["--to", "2026-13-01"], "--to"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "--from"),
        (["--timezone", "Mars"], "--timezone"),
        (["--attribute", "team"], "--attribute"),
        (["--top", "0"], "--top"),
        (["--top", "many"], "--top"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(local: Say, words: list[str], named: str) -> None:
    said = local("report", *words)
    assert said.code == 2, said
    assert named in said.err
    assert said.err.count("\n") == 1

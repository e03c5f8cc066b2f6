"""`budget get-usage` adds up what was used, by time and kind of call."""

import pytest

from budget.cli.spans import before, window_of
from budget.cli.usage import date_text
from budget.domain.windows import Window, parse_period, parse_rfc3339
from tests.cli.conftest import Say
from tests.cli.spent import spend, table, today


@pytest.fixture
def used(local: Say) -> Say:
    """Two calls of today and one of the day before, of two models."""
    spend(1, "m-small", "0.25", component="code")
    spend(0, "m-small", "0.5", component="code")
    spend(0, "m-large", "1.5", component="chat", team="search")
    return local


def test_a_row_for_each_day_and_kind_of_call_and_their_total(used: Say) -> None:
    said = used("get-usage", "daily")
    assert said.code == 0
    head, *rows = table(said.out)
    assert head == [
        "Date", "Provider", "Model", "Component", "Requests", "Input Tokens", "Output Tokens",
        "Total Cost",
    ]  # fmt: skip
    assert rows == [
        [today(1), "acme", "m-small", "code", "1", "100", "10", "0.25"],
        [today(), "acme", "m-large", "chat", "1", "100", "10", "1.50"],
        [today(), "acme", "m-small", "code", "1", "100", "10", "0.50"],
        ["Total", "3", "300", "30", "2.25"],
    ]


@pytest.mark.parametrize(
    ("words", "total"),
    [
        (["--model", "m-small"], "0.75"),
        (["--component", "chat"], "1.50"),
        (["--provider", "acme", "--days", "1"], "2.00"),
        (["--attribute", "team=search"], "1.50"),
    ],
)
def test_options_choose_calls_and_days(used: Say, words: list[str], total: str) -> None:
    assert table(used("get_usage", "daily", *words).out)[-1][-1] == total


def test_json_is_the_summary_of_the_api(used: Say) -> None:
    said = used("get-usage", "weekly", "--format", "json")
    assert said.out == used("get-usage", "weekly", "--json").out or said.json["bucket"] == "week"
    assert (said.json["count"], said.json["total_cost"]) == (3, "2.25")
    assert said.json["group_by"] == ["provider", "model", "component"]


BAD = [
    (["yearly"], "PERIOD"),
    ([""], "PERIOD"),
    (["daily", "--days", "0"], "--days"),
    (["daily", "--days", "-3"], "--days"),
    (["daily", "--days", "soon"], "--days"),
    (["daily", "--days", "99999999999999999999"], "--days"),
    (["hourly", "--days", "41"], "--days"),
    (["daily", "--timezone", "Mars/North"], "--timezone"),
    (["daily", "--format", "xml"], "--format"),
    (["daily", "--attribute", "team"], "--attribute"),
    (["daily", "--attribute", "no such key=1"], "--attribute"),
    (["daily", "--provider", ""], "--provider"),
    (["daily", "--model", "x" * 999], "--model"),
    (["daily", "--component", "\x00"], "--component"),
    (["daily", "daily"], "daily"),
]


@pytest.mark.parametrize(("words", "named"), BAD)
def test_bad_values_are_refused_in_one_sentence(local: Say, words: list[str], named: str) -> None:
    said = local("get-usage", *words)
    assert said.code == 2, said
    assert named in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err


def test_hours_have_their_time_in_the_zone_that_was_named() -> None:
    at_us = parse_rfc3339("2026-01-31T23:00:00Z", "at")
    assert date_text(at_us, "UTC", "hourly") == "2026-01-31 23:00"
    assert date_text(at_us, "Europe/Berlin", "hourly") == "2026-02-01 00:00"
    assert date_text(at_us, "Europe/Berlin", "daily") == "2026-02-01"


def test_the_time_before_a_month_is_a_month_and_before_any_other_time_as_long() -> None:
    def window(since: str, until: str) -> Window:
        return Window(parse_rfc3339(since, ""), parse_rfc3339(until, ""))

    monthly = parse_period("monthly")
    march = window_of(monthly, "UTC", "2026-03-01", "2026-04-01")
    assert march == window("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert before(march, monthly, "UTC") == window("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
    part = window("2026-03-03T00:00:00Z", "2026-03-05T00:00:00Z")
    assert before(part, monthly, "UTC") == window("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")
    assert before(Window(0, 5), monthly, "UTC") is None

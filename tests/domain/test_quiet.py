"""Quiet hours: past midnight, on some days, across summer time, and what breaks through."""

from datetime import datetime
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.quiet import Quiet, parse_quiet, quiet_to_json, told_at_us
from budget.domain.windows import to_rfc3339


def us(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000


def quiet(**given: Any) -> Quiet:
    asked = {"from": "22:00", "to": "07:00", **given}
    read = parse_quiet({name.rstrip("_"): value for name, value in asked.items()})
    assert read is not None
    return read


def told(hours: Quiet | None, at: str, severity: str = "warning") -> str:
    return to_rfc3339(told_at_us(hours, severity, us(at)))[:16].replace("T", " ")


@pytest.mark.parametrize(
    ("at", "when"),
    [
        ("2026-05-15 21:59", "2026-05-15 21:59"),
        ("2026-05-15 22:00", "2026-05-16 07:00"),  # the first minute is quiet
        ("2026-05-15 23:30", "2026-05-16 07:00"),
        ("2026-05-16 03:00", "2026-05-16 07:00"),
        ("2026-05-16 06:59", "2026-05-16 07:00"),
        ("2026-05-16 07:00", "2026-05-16 07:00"),  # the last one is not
    ],
)
def test_what_comes_by_night_is_told_in_the_morning(at: str, when: str) -> None:
    assert told(quiet(), at) == when


def test_hours_are_those_of_the_zone_and_move_with_summer_time() -> None:
    berlin = quiet(timezone="Europe/Berlin")
    # 23:00 in Berlin is 22:00 UTC in winter and 21:00 in summer; 07:00 is 06:00 and 05:00.
    assert told(berlin, "2026-01-15 22:00") == "2026-01-16 06:00"
    assert told(berlin, "2026-07-15 21:00") == "2026-07-16 05:00"
    # The night of 28 March 2026 begins in winter time and ends in summer time.
    assert told(berlin, "2026-03-28 21:30") == "2026-03-29 05:00"


def test_a_zone_far_ahead_is_in_the_next_day_already() -> None:
    # 09:00 UTC on Friday is 23:00 on Friday at UTC+14.
    assert told(quiet(timezone="Pacific/Kiritimati"), "2026-05-15 09:00") == "2026-05-15 17:00"


def test_only_nights_that_begin_on_the_days_named_are_quiet() -> None:
    weekdays = quiet(days=["mon", "tue", "wed", "thu", "fri"])
    # 15 May 2026 is a Friday: its night lasts into Saturday, whose own night is not quiet.
    assert told(weekdays, "2026-05-16 05:00") == "2026-05-16 07:00"
    assert told(weekdays, "2026-05-16 23:00") == "2026-05-16 23:00"


def test_a_whole_day_and_the_one_after_it_are_quiet_to_their_end() -> None:
    weekend = quiet(from_="00:00", to="00:00", days=["sat", "sun"])
    assert told(weekend, "2026-05-16 10:00") == "2026-05-18 00:00"
    assert told(weekend, "2026-05-15 23:59") == "2026-05-15 23:59"


@pytest.mark.parametrize(
    ("min_severity", "severity", "at_once"),
    [
        (None, "error", True),
        (None, "warning", False),
        ("warning", "warning", True),
        ("warning", "info", False),
        ("info", "info", True),
        ("never", "error", False),
    ],
)
def test_what_is_severe_enough_breaks_through(
    min_severity: str | None, severity: str, at_once: bool
) -> None:
    night = "2026-05-15 23:00"
    when = told(quiet(min_severity=min_severity), night, severity)
    assert (when == night) == at_once


def test_without_quiet_hours_everything_is_told_at_once() -> None:
    assert told(None, "2026-05-15 23:00") == "2026-05-15 23:00"
    assert parse_quiet({}) is None


def test_it_is_written_as_it_was_read() -> None:
    given = {"from": "22:05", "to": "07:00", "timezone": "Asia/Kathmandu", "days": ["mon"],
             "min_severity": "never"}  # fmt: skip
    read = parse_quiet(given)
    assert read is not None
    assert quiet_to_json(read) == given


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("22:00", "quiet"),
        (["22:00"], "quiet"),
        ({"from": "22:00"}, "quiet.to"),
        ({"to": "22:00"}, "quiet.from"),
        ({"from": "24:00", "to": "07:00"}, "quiet.from"),
        ({"from": "7:00", "to": "08:00"}, "quiet.from"),
        ({"from": 22, "to": "07:00"}, "quiet.from"),
        ({"from": "22:00", "to": "07:00\n"}, "quiet.to"),
        ({"from": "22:00", "to": "22:00"}, "quiet.to"),
        ({"from": "22:00", "to": "07:00", "timezone": "Berlin"}, "quiet.timezone"),
        ({"from": "22:00", "to": "07:00", "timezone": 1}, "quiet.timezone"),
        ({"from": "22:00", "to": "07:00", "days": []}, "quiet.days"),
        ({"from": "22:00", "to": "07:00", "days": "mon"}, "quiet.days"),
        ({"from": "22:00", "to": "07:00", "days": ["mon", "Monday"]}, "quiet.days[1]"),
        ({"from": "22:00", "to": "07:00", "days": [["mon"]]}, "quiet.days[0]"),
        ({"from": "22:00", "to": "07:00", "min_severity": "fatal"}, "quiet.min_severity"),
        ({"from": "22:00", "to": "07:00", "min_severity": []}, "quiet.min_severity"),
        ({"from": "22:00", "to": "07:00", "until": "x"}, "quiet.until"),
    ],
)
def test_mistakes_are_named(given: object, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_quiet(given)
    assert caught.value.field == field

"""Windows worked out by hand, and the laws that every calendar keeps.

`test_windows_every_zone` holds the same code against an independent oracle in all zones.
"""

import zoneinfo
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from budget.domain.errors import InvalidInput
from budget.domain.windows import (
    BUCKETS,
    MAX_US,
    Calendar,
    Kind,
    Period,
    ResetDay,
    bucket_start_us,
    bucket_width_us,
    day_calendar,
    from_datetime,
    leaves_at_us,
    oldest_live_bucket_us,
    parse_period,
    parse_reset_day,
    parse_rfc3339,
    parse_zone,
    to_rfc3339,
    window_at,
)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

CALENDAR_KINDS = [kind for kind in get_args(Kind) if kind != "rolling"]
CUTTING_KINDS = CALENDAR_KINDS[:7]  # minute to yearly; the others never end


def us(text: str) -> int:
    """Minutes or seconds, always UTC: "2026-03-29 01:00"."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND


def a_window(
    kind: str, zone: str, at: str, reset_day: ResetDay = 1, after_us: int = 0
) -> tuple[str, str]:
    """The bounds around an instant (and some microseconds), written as in `us`."""
    window = window_at(Calendar(parse_period(kind), zone, reset_day), us(at) + after_us)
    start, end = (to_rfc3339(bound)[:-1].replace("T", " ") for bound in window)
    return start.removesuffix(":00"), end.removesuffix(":00")


# --- days ----------------------------------------------------------------------------------------


def test_a_day_runs_from_local_midnight_to_local_midnight() -> None:
    # Berlin in January is UTC+1.
    expected = ("2026-01-14 23:00", "2026-01-15 23:00")
    assert a_window("daily", "Europe/Berlin", "2026-01-15 12:00") == expected
    assert a_window("daily", "Europe/Berlin", "2026-01-14 23:00") == expected
    assert a_window("daily", "Europe/Berlin", "2026-01-15 23:00", after_us=-1) == expected


@pytest.mark.parametrize(
    ("zone", "at", "start", "end", "hours"),
    [
        # Berlin: to UTC+2 on 29 March 2026 at 01:00 UTC, back to UTC+1 on 25 October at 01:00 UTC.
        ("Europe/Berlin", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00", 23),
        ("Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00", 25),
        # New York: to UTC-4 on 8 March 2026, back to UTC-5 on 1 November.
        ("America/New_York", "2026-03-08 12:00", "2026-03-08 05:00", "2026-03-09 04:00", 23),
        ("America/New_York", "2026-11-01 12:00", "2026-11-01 04:00", "2026-11-02 05:00", 25),
        # Lord Howe moves by half an hour: UTC+11 and UTC+10:30.
        ("Australia/Lord_Howe", "2026-04-05 00:00", "2026-04-04 13:00", "2026-04-05 13:30", 24.5),
        ("Australia/Lord_Howe", "2026-10-04 00:00", "2026-10-03 13:30", "2026-10-04 13:00", 23.5),
        # Kathmandu is UTC+5:45.
        ("Asia/Kathmandu", "2026-01-15 12:00", "2026-01-14 18:15", "2026-01-15 18:15", 24),
    ],
)
def test_a_day_is_as_long_as_the_clock_on_the_wall_makes_it(
    zone: str, at: str, start: str, end: str, hours: float
) -> None:
    assert a_window("daily", zone, at) == (start, end)
    assert us(end) - us(start) == hours * HOUR


def test_a_day_without_a_midnight_begins_when_the_clock_lands() -> None:
    # Sao Paulo, 4 November 2018: at 00:00 (UTC-3) the clock went to 01:00 (UTC-2).
    zone = "America/Sao_Paulo"
    assert a_window("daily", zone, "2018-11-04 02:59") == ("2018-11-03 03:00", "2018-11-04 03:00")
    assert a_window("daily", zone, "2018-11-04 03:00") == ("2018-11-04 03:00", "2018-11-05 02:00")


def test_a_day_whose_midnight_lies_inside_a_jump_begins_when_the_clock_lands() -> None:
    # Toronto, 30 March 1919: at 23:30 (UTC-5) the clock went to 00:30 (UTC-4) of the 31st. The
    # database knows no such jump after 1970, but a law may bring one tomorrow.
    zone = "America/Toronto"
    assert a_window("daily", zone, "1919-03-31 04:29") == ("1919-03-30 05:00", "1919-03-31 04:30")
    assert a_window("daily", zone, "1919-03-31 04:30") == ("1919-03-31 04:30", "1919-04-01 04:00")


def test_an_evening_that_comes_twice_before_midnight_makes_a_day_of_25_hours() -> None:
    # Sao Paulo, 18 February 2018: at 00:00 (UTC-2) the clock went back to 23:00 (UTC-3).
    zone = "America/Sao_Paulo"
    assert a_window("daily", zone, "2018-02-18 02:30") == ("2018-02-17 02:00", "2018-02-18 03:00")
    assert a_window("daily", zone, "2018-02-18 03:00") == ("2018-02-18 03:00", "2018-02-19 03:00")


def test_of_a_midnight_that_comes_twice_the_first_begins_the_day() -> None:
    # St. John's, 7 November 2010: at 00:01 (UTC-2:30) the clock went back to 23:01 (UTC-3:30).
    # Midnight was at 02:30 UTC and again at 03:30; the second evening of the 6th is after the 7th
    # has begun, and stays in it.
    zone = "America/St_Johns"
    the_7th = ("2010-11-07 02:30", "2010-11-08 03:30")
    assert a_window("daily", zone, "2010-11-07 02:29") == ("2010-11-06 02:30", "2010-11-07 02:30")
    for at in ("2010-11-07 02:30", "2010-11-07 02:31", "2010-11-07 03:29", "2010-11-07 03:30"):
        assert a_window("daily", zone, at) == the_7th


def test_a_midnight_that_comes_twice_on_the_first_of_the_month_begins_the_month_once() -> None:
    # Havana, 1 November 2026: at 01:00 (UTC-4) the clock goes back to 00:00 (UTC-5).
    october, november = "2026-10-01 04:00", "2026-11-01 04:00"
    assert a_window("monthly", "America/Havana", "2026-11-01 03:59") == (october, november)
    for at in ("2026-11-01 04:00", "2026-11-01 05:00"):
        assert a_window("monthly", "America/Havana", at) == (november, "2026-12-01 05:00")


def test_a_date_that_was_skipped_has_no_window() -> None:
    # Apia went from UTC-10 to UTC+14 at the end of 29 December 2011: there was no 30th.
    zone = "Pacific/Apia"
    assert a_window("daily", zone, "2011-12-30 09:59") == ("2011-12-29 10:00", "2011-12-30 10:00")
    assert a_window("daily", zone, "2011-12-30 10:00") == ("2011-12-30 10:00", "2011-12-31 10:00")
    # Kwajalein went from UTC-12 to UTC+12 at the end of 20 August 1993: there was no 21st.
    zone = "Pacific/Kwajalein"
    assert a_window("daily", zone, "1993-08-21 11:59") == ("1993-08-20 12:00", "1993-08-21 12:00")
    assert a_window("daily", zone, "1993-08-21 12:00") == ("1993-08-21 12:00", "1993-08-22 12:00")


def test_a_week_with_a_skipped_date_has_six_days() -> None:
    # From Monday 26 December 2011, 00:00 UTC-10, to Monday 2 January 2012, 00:00 UTC+14.
    expected = ("2011-12-26 10:00", "2012-01-01 10:00")
    assert a_window("weekly", "Pacific/Apia", "2011-12-29 00:00") == expected
    assert us(expected[1]) - us(expected[0]) == 6 * DAY


def test_a_month_that_opens_on_a_skipped_date_opens_on_the_next() -> None:
    # Kiritimati went from UTC-10 to UTC+14 at the end of 30 December 1994: the last day of the
    # year was skipped, so 1 January 1995 stood in for it.
    expected = ("1994-12-31 10:00", "1995-01-30 10:00")
    assert a_window("monthly", "Pacific/Kiritimati", "1995-01-15 00:00", "last") == expected
    expected = ("1994-11-30 10:00", "1994-12-31 10:00")
    assert a_window("monthly", "Pacific/Kiritimati", "1994-12-31 09:59", "last") == expected


# --- weeks, months, quarters, years --------------------------------------------------------------


def test_a_week_begins_on_monday_also_over_the_turn_of_the_year() -> None:
    # Friday 1 January 2027 lies in ISO week 53 of 2026, which began on Monday 28 December.
    expected = ("2026-12-28 00:00", "2027-01-04 00:00")
    assert a_window("weekly", "UTC", "2027-01-01 12:00") == expected
    assert a_window("weekly", "UTC", "2026-12-28 00:00") == expected
    assert a_window("weekly", "UTC", "2027-01-04 00:00", after_us=-1) == expected
    assert datetime(2027, 1, 1, tzinfo=UTC).isocalendar()[:2] == (2026, 53)


def test_a_week_may_have_167_or_169_hours() -> None:
    start, end = a_window("weekly", "Europe/Berlin", "2026-03-25 12:00")
    assert (start, end) == ("2026-03-22 23:00", "2026-03-29 22:00")
    assert us(end) - us(start) == 167 * HOUR
    start, end = a_window("weekly", "Europe/Berlin", "2026-10-21 12:00")
    assert (start, end) == ("2026-10-18 22:00", "2026-10-25 23:00")
    assert us(end) - us(start) == 169 * HOUR


@pytest.mark.parametrize(
    ("reset_day", "at", "start", "end"),
    [
        (1, "2026-02-10 00:00", "2026-02-01 00:00", "2026-03-01 00:00"),
        (1, "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00"),
        (1, "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00"),
        (15, "2026-03-14 23:59", "2026-02-15 00:00", "2026-03-15 00:00"),
        (15, "2026-03-15 00:00", "2026-03-15 00:00", "2026-04-15 00:00"),
        (15, "2026-01-02 00:00", "2025-12-15 00:00", "2026-01-15 00:00"),
        (28, "2026-02-28 00:00", "2026-02-28 00:00", "2026-03-28 00:00"),
        (28, "2028-02-29 00:00", "2028-02-28 00:00", "2028-03-28 00:00"),
        (28, "2026-03-01 00:00", "2026-02-28 00:00", "2026-03-28 00:00"),
        ("last", "2026-02-27 23:59", "2026-01-31 00:00", "2026-02-28 00:00"),
        ("last", "2026-02-28 00:00", "2026-02-28 00:00", "2026-03-31 00:00"),
        ("last", "2028-02-28 12:00", "2028-01-31 00:00", "2028-02-29 00:00"),
        ("last", "2028-02-29 00:00", "2028-02-29 00:00", "2028-03-31 00:00"),
        ("last", "2026-12-31 00:00", "2026-12-31 00:00", "2027-01-31 00:00"),
        ("last", "2027-01-01 00:00", "2026-12-31 00:00", "2027-01-31 00:00"),
    ],
)
def test_a_month_runs_from_its_reset_day_to_the_next(
    reset_day: ResetDay, at: str, start: str, end: str
) -> None:
    assert a_window("monthly", "UTC", at, reset_day) == (start, end)


def test_a_month_changes_with_the_clock_of_its_place() -> None:
    # October 2026 in Berlin: from UTC+2 to UTC+1, 31 days and an hour.
    start, end = a_window("monthly", "Europe/Berlin", "2026-10-15 00:00")
    assert (start, end) == ("2026-09-30 22:00", "2026-10-31 23:00")
    assert us(end) - us(start) == 31 * DAY + HOUR


@pytest.mark.parametrize(
    ("at", "start", "end"),
    [
        ("2026-01-01 05:00", "2026-01-01 05:00", "2026-04-01 04:00"),
        ("2026-05-20 00:00", "2026-04-01 04:00", "2026-07-01 04:00"),
        ("2026-09-30 23:00", "2026-07-01 04:00", "2026-10-01 04:00"),
        ("2027-01-01 04:59", "2026-10-01 04:00", "2027-01-01 05:00"),
    ],
)
def test_a_quarter_begins_in_january_april_july_and_october(at: str, start: str, end: str) -> None:
    # New York is UTC-5 in winter and UTC-4 in summer.
    assert a_window("quarterly", "America/New_York", at) == (start, end)


def test_a_year_ends_at_the_local_new_year() -> None:
    # Kiritimati, UTC+14, is the first to celebrate.
    zone = "Pacific/Kiritimati"
    assert a_window("yearly", zone, "2026-12-31 09:59") == ("2025-12-31 10:00", "2026-12-31 10:00")
    assert a_window("yearly", zone, "2026-12-31 10:00") == ("2026-12-31 10:00", "2027-12-31 10:00")
    assert a_window("yearly", "UTC", "2028-02-29 00:00") == ("2028-01-01 00:00", "2029-01-01 00:00")


@pytest.mark.parametrize("kind", [kind for kind in CALENDAR_KINDS if kind != "monthly"])
def test_only_months_look_at_the_reset_day(kind: str) -> None:
    at_us = us("2026-05-20 10:00")
    plain = Calendar(parse_period(kind), "Asia/Tokyo")
    assert window_at(Calendar(plain.period, plain.zone, 15), at_us) == window_at(plain, at_us)
    assert window_at(Calendar(plain.period, plain.zone, "last"), at_us) == window_at(plain, at_us)


# --- hours and minutes ---------------------------------------------------------------------------


def test_an_hour_begins_with_the_hour_of_the_local_clock() -> None:
    # 00:00 UTC is 05:45 in Kathmandu and 05:30 in Kolkata.
    expected = ("2025-12-31 23:15", "2026-01-01 00:15")
    assert a_window("hourly", "Asia/Kathmandu", "2026-01-01 00:00") == expected
    expected = ("2025-12-31 23:30", "2026-01-01 00:30")
    assert a_window("hourly", "Asia/Kolkata", "2026-01-01 00:00") == expected


def test_an_hour_that_comes_twice_is_two_windows_and_one_that_is_skipped_is_none() -> None:
    # Berlin, 25 October 2026: 02:00 to 03:00 comes at 00:00 UTC and again at 01:00 UTC.
    zone = "Europe/Berlin"
    assert a_window("hourly", zone, "2026-10-25 00:59") == ("2026-10-25 00:00", "2026-10-25 01:00")
    assert a_window("hourly", zone, "2026-10-25 01:00") == ("2026-10-25 01:00", "2026-10-25 02:00")
    # 29 March 2026: 02:00 to 03:00 does not come.
    assert a_window("hourly", zone, "2026-03-29 00:59") == ("2026-03-29 00:00", "2026-03-29 01:00")
    assert a_window("hourly", zone, "2026-03-29 01:00") == ("2026-03-29 01:00", "2026-03-29 02:00")


def test_a_jump_by_half_an_hour_cuts_the_hour_in_two() -> None:
    def hours(first: str, end: str) -> list[str]:
        starts = [first]
        while starts[-1] < end:
            starts.append(a_window("hourly", "Australia/Lord_Howe", starts[-1])[1])
        return starts

    # 5 April 2026: at 02:00 (UTC+11, 15:00 UTC) the clock goes back to 01:30 (UTC+10:30).
    assert hours("2026-04-04 14:00", "2026-04-04 16:30") == [
        "2026-04-04 14:00",  # 01:00
        "2026-04-04 15:00",  # 01:30 for the second time: half an hour
        "2026-04-04 15:30",  # 02:00
        "2026-04-04 16:30",  # 03:00
    ]
    # 4 October 2026: at 02:00 (UTC+10:30, 15:30 UTC) the clock goes on to 02:30 (UTC+11).
    assert hours("2026-10-03 14:30", "2026-10-03 17:00") == [
        "2026-10-03 14:30",  # 01:00
        "2026-10-03 15:30",  # 02:30: half an hour
        "2026-10-03 16:00",  # 03:00
        "2026-10-03 17:00",  # 04:00
    ]


def test_a_jump_in_the_middle_of_an_hour_ends_one_window_and_begins_the_next() -> None:
    # Caracas, 1 May 2016: at 02:30 (UTC-4:30, 07:00 UTC) the clock went on to 03:00 (UTC-4).
    zone = "America/Caracas"
    assert a_window("hourly", zone, "2016-05-01 06:59") == ("2016-05-01 06:30", "2016-05-01 07:00")
    assert a_window("hourly", zone, "2016-05-01 07:00") == ("2016-05-01 07:00", "2016-05-01 08:00")


def test_a_jump_by_part_of_a_minute_cuts_the_minute_in_two() -> None:
    # Monrovia, 7 January 1972: at 00:00 (UTC-0:44:30) the clock went on to 00:44:30 (UTC).
    zone = "Africa/Monrovia"
    jump = "1972-01-07 00:44:30"
    assert a_window("minute", zone, "1972-01-07 00:44:29") == ("1972-01-07 00:43:30", jump)
    assert a_window("minute", zone, jump) == (jump, "1972-01-07 00:45")
    assert a_window("hourly", zone, "1972-01-07 00:44:29") == ("1972-01-06 23:44:30", jump)
    assert a_window("hourly", zone, jump) == (jump, "1972-01-07 01:00")
    assert a_window("daily", zone, jump) == (jump, "1972-01-08 00:00")


def test_a_minute_is_a_minute() -> None:
    expected = ("2026-05-20 10:07", "2026-05-20 10:08")
    for zone in ("UTC", "Asia/Kathmandu", "America/New_York"):
        assert a_window("minute", zone, "2026-05-20 10:07:59", after_us=999_999) == expected
        assert a_window("minute", zone, "2026-05-20 10:07") == expected


# --- what never ends, and the ends of time -------------------------------------------------------


@pytest.mark.parametrize("kind", ["total", "per_session", "per_task"])
def test_a_total_a_session_and_a_task_never_end(kind: str) -> None:
    for at_us in (0, us("2026-01-01 00:00"), MAX_US - 1):
        assert window_at(Calendar(parse_period(kind)), at_us) == (0, MAX_US)


def test_a_call_without_a_session_counts_in_the_day_of_the_same_zone() -> None:
    calendar = Calendar(parse_period("per_session"), "Asia/Tokyo", 15)
    assert day_calendar(calendar) == Calendar(parse_period("daily"), "Asia/Tokyo")
    start_us = window_at(day_calendar(calendar), us("2026-05-20 10:00")).start_us
    assert start_us == us("2026-05-19 15:00")


def test_a_rolling_period_has_no_window() -> None:
    with pytest.raises(ValueError, match=r"rolling:1h has buckets"):
        window_at(Calendar(parse_period("rolling:1h")), 0)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu"])
@pytest.mark.parametrize("kind", CUTTING_KINDS)
@pytest.mark.parametrize("reset_day", [1, 28, "last"])
def test_the_last_window_ends_with_the_year_9999(kind: str, zone: str, reset_day: ResetDay) -> None:
    calendar = Calendar(parse_period(kind), zone, reset_day)
    last = window_at(calendar, MAX_US - 1)
    assert last.start_us < MAX_US == last.end_us
    assert window_at(calendar, last.start_us - 1).end_us == last.start_us
    first = window_at(calendar, 0)
    assert first.start_us <= 0 < first.end_us


# --- the laws ------------------------------------------------------------------------------------

calendars = st.builds(
    Calendar,
    st.sampled_from(CUTTING_KINDS).map(parse_period),
    st.sampled_from(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})),
    st.one_of(st.integers(1, 28), st.just("last")),
)
instants = st.one_of(
    st.integers(0, MAX_US - 1),
    st.integers(us("1970-01-01 00:00"), us("2040-01-01 00:00")),  # where clocks are odd
)


@given(calendars, instants)
@example(Calendar(parse_period("daily"), "Pacific/Apia"), us("2011-12-30 10:00"))
@example(Calendar(parse_period("daily"), "America/St_Johns"), us("2010-11-07 03:00"))
@example(Calendar(parse_period("hourly"), "Australia/Lord_Howe"), us("2026-04-04 15:10"))
def test_windows_hold_their_instant_and_touch_their_neighbours(
    calendar: Calendar, at_us: int
) -> None:
    window = window_at(calendar, at_us)
    assert window.start_us <= at_us < window.end_us
    assert window_at(calendar, window.start_us) == window
    assert window_at(calendar, window.end_us - 1) == window
    assert window_at(calendar, window.start_us - 1).end_us == window.start_us
    if window.end_us < MAX_US:
        assert window_at(calendar, window.end_us).start_us == window.end_us


@given(calendars, instants, st.integers(0, 400 * DAY))
def test_a_later_instant_is_never_in_an_earlier_window(
    calendar: Calendar, at_us: int, later_us: int
) -> None:
    assume(at_us + later_us < MAX_US)
    first, second = window_at(calendar, at_us), window_at(calendar, at_us + later_us)
    assert first == second or first.end_us <= second.start_us


# --- periods, zones, reset days ------------------------------------------------------------------


@pytest.mark.parametrize("kind", CALENDAR_KINDS)
def test_a_calendar_period_is_read_by_its_name(kind: Kind) -> None:
    assert parse_period(kind) == Period(kind, kind, 0)


@pytest.mark.parametrize(
    ("text", "canonical", "length_us"),
    [
        ("rolling:1s", "rolling:1s", SECOND),
        ("rolling:90s", "rolling:90s", 90 * SECOND),
        ("rolling:090s", "rolling:90s", 90 * SECOND),
        ("rolling:5m", "rolling:5m", 5 * MINUTE),
        ("rolling:24h", "rolling:24h", 24 * HOUR),
        ("rolling:366d", "rolling:366d", 366 * DAY),
        ("rolling:31622400s", "rolling:31622400s", 366 * DAY),
    ],
)
def test_a_rolling_period_is_read_with_its_length(
    text: str, canonical: str, length_us: int
) -> None:
    assert parse_period(text) == Period(canonical, "rolling", length_us)
    assert parse_period(canonical).text == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "Daily", "day", "daily ", "daily\n", "fortnightly"),
        *("rolling", "rolling:", "rolling:5", "rolling:m", "Rolling:5m"),
        *("rolling:0s", "rolling:-5m", "rolling:+5m", "rolling:1.5h", "rolling:5w", "rolling:5M"),
        *("rolling: 5m", "rolling:5m ", "rolling:5m\n", "rolling:\u0665m", "rolling:1h30m"),
        *("rolling:367d", "rolling:31622401s", "rolling:99999999999s"),
        pytest.param("rolling:" + "9" * 10_000 + "s", id="long number"),
        *(None, 5, True, b"daily", ["daily"]),
    ],
)
def test_what_is_no_period_is_refused_with_what_is(text: object) -> None:
    with pytest.raises(InvalidInput, match=r"^policies\.0\.period: ") as caught:
        parse_period(text, "policies.0.period")
    assert "366 d" in caught.value.detail or "rolling:<n>h" in caught.value.allowed
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "EST"])
def test_a_zone_is_read_by_its_iana_name(name: str) -> None:
    assert parse_zone(name) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", " UTC", "utc", "europe/berlin", "Europe/berlin", "EUROPE/BERLIN", "Europe"),
        *("../../etc/passwd", "/etc/localtime", "/usr/share/zoneinfo/UTC", "./UTC", "Europe/"),
        *("UTC\x00", "\x00", "UTC\n", "localtime", "posixrules", "posix/UTC", "Europe/../UTC"),
        *("+02:00", "UTC+2", "CET-1CEST", "tzdata.zi", "zone.tab", "right/UTC", "Factory"),
        pytest.param("x" * 100_000, id="long name"),
        pytest.param("\ud800", id="surrogate"),
        *(None, 0, True, b"UTC", ["UTC"]),
    ],
)
def test_what_the_database_does_not_name_is_no_zone(text: object) -> None:
    with pytest.raises(InvalidInput, match=r"^timezone: "):
        parse_zone(text)


def not_a_zone(text: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_zone(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("Mars/Berlin", "Europe/Berlin"),
        ("Tokio", "Asia/Tokyo"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
    ],
)
def test_a_misspelt_zone_is_answered_with_the_nearest_names(text: str, nearest: str) -> None:
    allowed = not_a_zone(text).allowed
    assert allowed[0] == nearest
    assert len(allowed) <= 5


def test_a_place_of_several_names_is_answered_with_each() -> None:
    assert set(not_a_zone("buenos_aires").allowed) == {
        "America/Argentina/Buenos_Aires", "America/Buenos_Aires",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["Mars/X", "", "+02:00", "x" * 65, "\ud800", 7, None])
def test_what_is_near_no_zone_is_answered_with_the_areas(text: object) -> None:
    *areas, utc = not_a_zone(text).allowed
    assert utc == "UTC"
    assert areas == sorted(set(areas))
    assert {
        "Africa/…", "America/…", "Antarctica/…", "Arctic/…", "Asia/…", "Atlantic/…", "Australia/…",
        "Europe/…", "Indian/…", "Pacific/…",
    } <= set(areas)  # fmt: skip
    assert len(areas) < 20


@pytest.mark.parametrize("day", [1, 15, 28, "last"])
def test_a_reset_day_is_one_that_every_month_has(day: object) -> None:
    assert parse_reset_day(day) == day


@pytest.mark.parametrize("day", [0, 29, 31, -1, True, 1.0, "1", "Last", "first", None, [], 10**30])
def test_a_day_that_some_month_lacks_is_no_reset_day(day: object) -> None:
    with pytest.raises(InvalidInput, match=r"^reset_day: .*1 to 28"):
        parse_reset_day(day)


# --- rolling buckets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "width_us"),
    [
        ("rolling:1s", 16_667),  # 16,666.67 rounded up
        ("rolling:1m", SECOND),
        ("rolling:1h", MINUTE),
        ("rolling:100s", 1_666_667),
        ("rolling:366d", 527_040 * SECOND),
    ],
)
def test_a_bucket_is_a_sixtieth_of_its_period_rounded_up(text: str, width_us: int) -> None:
    assert bucket_width_us(parse_period(text)) == width_us


def test_the_current_bucket_and_the_sixty_before_it_count() -> None:
    hour = parse_period("rolling:1h")  # buckets of a minute
    at_us = us("2026-05-20 10:07:31")
    assert bucket_start_us(hour, at_us) == us("2026-05-20 10:07")
    assert oldest_live_bucket_us(hour, at_us) == us("2026-05-20 09:07")
    # What was spent at 09:07:59 counts until 10:08, an hour and a second later: early, never late.
    assert leaves_at_us(hour, us("2026-05-20 09:07")) == us("2026-05-20 10:08")


def test_a_calendar_period_has_no_bucket() -> None:
    with pytest.raises(ValueError, match="daily has windows"):
        bucket_width_us(parse_period("daily"))


rolling_periods = st.builds(
    lambda number, unit: parse_period(f"rolling:{number}{unit}"),
    st.integers(1, 366),
    st.sampled_from("smhd"),
)


@given(rolling_periods, instants)
def test_a_bucket_counts_until_the_instant_at_which_it_leaves(period: Period, at_us: int) -> None:
    bucket_us = bucket_start_us(period, at_us)
    gone_us = leaves_at_us(period, bucket_us)
    assert bucket_us <= at_us < bucket_us + bucket_width_us(period)
    assume(gone_us < MAX_US)
    assert oldest_live_bucket_us(period, gone_us - 1) == bucket_us
    assert oldest_live_bucket_us(period, gone_us) > bucket_us
    # Never late: what is spent at an instant counts for the whole period from then on.
    assert gone_us >= at_us + period.length_us
    assert gone_us <= at_us + period.length_us + bucket_width_us(period) + BUCKETS


# --- instants ------------------------------------------------------------------------------------


def test_max_us_is_the_start_of_the_year_10000() -> None:
    assert us("9999-12-31 23:59:59") + SECOND == MAX_US


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_767_225_600_000_000, "2026-01-01T00:00:00Z"),  # 20,454 days
        (1_767_225_600_500_000, "2026-01-01T00:00:00.500000Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00Z"),  # 11,016 days
        (MAX_US - 1, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_microseconds_only_where_it_has_some(
    at_us: int, text: str
) -> None:
    assert to_rfc3339(at_us) == text


def test_never_is_no_time_to_write() -> None:
    with pytest.raises(ValueError, match="year"):
        to_rfc3339(MAX_US)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31 12:00"),
        ("2026-01-31t12:00:00z", "2026-01-31 12:00"),
        ("2026-01-31 12:00:00Z", "2026-01-31 12:00"),
        ("2026-01-31T12:00:00+05:45", "2026-01-31 06:15"),
        ("2026-01-31T12:00:00-03:30", "2026-01-31 15:30"),
        ("2026-01-31T12:00:00-00:00", "2026-01-31 12:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01 00:00"),
        ("2028-02-29T00:00:00Z", "2028-02-29 00:00"),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, same: str) -> None:
    assert parse_rfc3339(text, "until") == us(same)


def test_a_fraction_is_read_to_the_microsecond_and_cut_there() -> None:
    whole_us = us("2026-01-31 12:00")
    assert parse_rfc3339("2026-01-31T12:00:00.5Z", "until") == whole_us + 500_000
    assert parse_rfc3339("2026-01-31T12:00:00.000001Z", "until") == whole_us + 1
    assert parse_rfc3339("2026-01-31T12:00:00.123456789Z", "until") == whole_us + 123_456
    assert parse_rfc3339("9999-12-31T23:59:59.9999999Z", "until") == MAX_US - 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "20260131T120000Z"),
        *("2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z"),
        *("2026-01-32T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z"),
        *("2026-06-30T23:59:60Z", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+05:60"),
        *("2026-01-31T12:00:00+0545", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00,5Z"),
        *(" 2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z\n", "2026-W05-6T12:00:00Z"),
        *("\u0662\u0660\u0662\u0666-01-31T12:00:00Z", "2026-01-31T12:00:00 Z"),
        *("0000-01-01T00:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00-0000"),
        *("1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
        *("0001-01-01T00:00:00+23:59", "12026-01-31T12:00:00Z", "-2026-01-31T12:00:00Z"),
        *(None, 0, 1_767_225_600, True, b"2026-01-31T12:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_what_is_no_time_of_1970_to_9999_with_an_offset_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match=r"^top_up\.until: "):
        parse_rfc3339(text, "top_up.until")


@given(instants)
def test_an_instant_written_and_read_again_is_the_same(at_us: int) -> None:
    assert parse_rfc3339(to_rfc3339(at_us), "at") == at_us


def test_a_datetime_with_an_offset_is_an_instant_and_one_without_is_none() -> None:
    half_past = timezone(timedelta(hours=5, minutes=30))
    assert from_datetime(datetime(1970, 1, 1, 5, 30, tzinfo=half_past)) == 0
    assert from_datetime(datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == 1
    assert from_datetime(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    with pytest.raises(ValueError, match="without an offset"):
        from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_datetime_in_a_repeated_hour_is_the_occurrence_that_its_fold_names() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    second = first.replace(fold=1)
    assert from_datetime(first) == us("2026-10-25 00:30")
    assert from_datetime(second) == us("2026-10-25 01:30")


def test_a_year_of_days_is_365_windows_in_a_row() -> None:
    calendar = Calendar(parse_period("daily"), "America/New_York")
    bounds = [us("2026-01-01 05:00")]
    while bounds[-1] < us("2027-01-01 05:00"):
        bounds.append(window_at(calendar, bounds[-1]).end_us)
    lengths = [end - start for start, end in pairwise(bounds)]
    assert len(lengths) == 365
    assert sorted(lengths) == [23 * HOUR] + [24 * HOUR] * 363 + [25 * HOUR]

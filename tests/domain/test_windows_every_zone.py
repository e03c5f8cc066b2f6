"""Every time zone of the database, three years of windows, against an oracle of another make.

The code turns local midnights into instants. The oracle never does: it reads the wall clock at
instants, finds the second at which the offset changes by bisection, and so has stretches of time
in which the clock simply runs. A window opens where the running clock first shows an opening date.
"""

import zoneinfo
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest

from budget.domain.windows import Calendar, Period, ResetDay, Window, parse_period, window_at

SECOND = 1_000_000
HOUR_S = 3600
DAY_S = 86_400
STEP_S = 12 * HOUR_S
EPOCH_DAY = date(1970, 1, 1).toordinal()

WindowAt = Callable[[Calendar, int], Window]
Opens = Callable[[date], bool]

DATE_PERIODS: list[tuple[str, ResetDay, Opens]] = [
    ("daily", 1, lambda _: True),
    ("weekly", 1, lambda day: day.isoweekday() == 1),
    ("monthly", 1, lambda day: day.day == 1),
    ("monthly", 15, lambda day: day.day == 15),
    ("monthly", "last", lambda day: (day + timedelta(days=1)).day == 1),
    ("quarterly", 1, lambda day: day.day == 1 and day.month in (1, 4, 7, 10)),
    ("yearly", 1, lambda day: day.day == 1 and day.month == 1),
]

# Zones that jumped over a midnight, went through one twice, skipped a date, or changed by part of
# an hour or of a minute.
HISTORIC = [
    ("Africa/Cairo", 2014),
    ("Africa/Monrovia", 1972),
    ("America/Asuncion", 2023),
    ("America/Caracas", 2007),
    ("America/Caracas", 2016),
    ("America/Havana", 2024),
    ("America/Santiago", 2022),
    ("America/Sao_Paulo", 2018),
    ("America/St_Johns", 1988),
    ("America/St_Johns", 2010),
    ("America/Toronto", 1919),
    ("Antarctica/Casey", 2010),
    ("Antarctica/Vostok", 2023),
    ("Asia/Amman", 2021),
    ("Asia/Beirut", 2022),
    ("Asia/Kathmandu", 1985),
    ("Asia/Pyongyang", 2015),
    ("Asia/Pyongyang", 2018),
    ("Asia/Tehran", 2022),
    ("Australia/Lord_Howe", 1985),
    ("Pacific/Apia", 2011),
    ("Pacific/Enderbury", 1994),
    ("Pacific/Kiritimati", 1994),
    ("Pacific/Kwajalein", 1993),
]


class Stretch(NamedTuple):
    """A span of time [start, end) in which local time is UTC plus one offset."""

    start_s: int
    end_s: int
    offset_s: int


def read_offset_s(zone: zoneinfo.ZoneInfo, at_s: int) -> int:
    local = datetime.fromtimestamp(at_s, UTC).astimezone(zone)
    wall = local.replace(tzinfo=UTC)
    return int(wall.timestamp()) - at_s


def read_stretches(name: str, start: date, end: date) -> tuple[Stretch, ...]:
    """Walk in steps of twelve hours (no zone changes twice in that time); bisect each change."""
    zone = zoneinfo.ZoneInfo(name)
    begin_s = (start.toordinal() - EPOCH_DAY) * DAY_S
    end_s = (end.toordinal() - EPOCH_DAY) * DAY_S
    changes = [(begin_s, read_offset_s(zone, begin_s))]
    for step_s in range(begin_s, end_s, STEP_S):
        offset_s = read_offset_s(zone, step_s)
        if offset_s == changes[-1][1]:
            continue
        old_s, new_s = step_s - STEP_S, step_s
        while new_s - old_s > 1:
            middle_s = (old_s + new_s) // 2
            if read_offset_s(zone, middle_s) == offset_s:
                new_s = middle_s
            else:
                old_s = middle_s
        changes.append((new_s, offset_s))
    ends = [at_s for at_s, _ in changes[1:]] + [end_s]
    return tuple(
        Stretch(at_s, to_s, offset_s) for (at_s, offset_s), to_s in zip(changes, ends, strict=True)
    )


def date_bounds_us(stretches: Iterable[Stretch], opens: Opens) -> list[int]:
    """The instants at which the wall calendar first shows an opening date, or one past it."""
    bounds: list[int] = []
    latest: int | None = None
    for stretch in stretches:
        first_day = (stretch.start_s + stretch.offset_s) // DAY_S
        last_day = (stretch.end_s - 1 + stretch.offset_s) // DAY_S
        if latest is None:
            latest = first_day  # the walk begins somewhere in this day: its start is unknown
        for day in range(max(first_day, latest + 1), last_day + 1):
            if any(opens(date.fromordinal(d + EPOCH_DAY)) for d in range(latest + 1, day + 1)):
                bounds.append(max(day * DAY_S - stretch.offset_s, stretch.start_s) * SECOND)
            latest = day
    return bounds


def tick_bounds_us(stretches: Iterable[Stretch], unit_s: int) -> list[int]:
    """The instants at which the wall clock shows a full unit, and the jumps by part of one."""
    ticks: set[int] = set()
    offset_s: int | None = None
    for stretch in stretches:
        if offset_s is not None and (stretch.offset_s - offset_s) % unit_s:
            ticks.add(stretch.start_s)
        offset_s = stretch.offset_s
        ticks.update(
            range(stretch.start_s + -(stretch.start_s + offset_s) % unit_s, stretch.end_s, unit_s)
        )
    return [tick * SECOND for tick in sorted(ticks)]


def around(stretches: tuple[Stretch, ...], at_s: int, reach_s: int) -> list[Stretch]:
    cut = (
        Stretch(max(s.start_s, at_s - reach_s), min(s.end_s, at_s + reach_s), s.offset_s)
        for s in stretches
    )
    return [s for s in cut if s.start_s < s.end_s]


def disagreements(
    window: WindowAt, calendar: Calendar, bounds: list[int], more: Iterable[int] = ()
) -> Iterator[str]:
    """Ask at both ends and the middle of every window of the oracle, and at more instants."""
    instants = {at for a, b in pairwise(bounds) for at in (a, (a + b) // 2, b - 1)}
    instants.update(at for at in more if bounds[0] <= at < bounds[-1])
    for at_us in instants:
        opened = bisect_right(bounds, at_us)
        expected = Window(bounds[opened - 1], bounds[opened])
        found = window(calendar, at_us)
        if found != expected:
            yield f"{calendar} at {at_us}: {found}, not {expected}"


def all_disagreements(window: WindowAt, zone: str, stretches: tuple[Stretch, ...]) -> Iterator[str]:
    jumps = [s.start_s for s in stretches[1:]]
    near_jumps = [
        at_s * SECOND + off
        for jump_s in jumps
        for at_s in range(jump_s - 3 * HOUR_S, jump_s + 3 * HOUR_S + 1, HOUR_S // 2)
        for off in (-1, 0)
    ]
    for kind, reset_day, opens in DATE_PERIODS:
        calendar = Calendar(parse_period(kind), zone, reset_day)
        yield from disagreements(window, calendar, date_bounds_us(stretches, opens), near_jumps)
    midway_s = (stretches[0].start_s + stretches[-1].end_s) // 2
    for at_s in jumps or [midway_s]:
        for kind, unit_s, reach_s in (("hourly", HOUR_S, 2 * DAY_S), ("minute", 60, 600)):
            near = tick_bounds_us(around(stretches, at_s, reach_s), unit_s)
            yield from disagreements(window, Calendar(parse_period(kind), zone), near)


def test_every_zone_has_the_windows_that_its_wall_clock_shows_from_2025_to_2027() -> None:
    zones = sorted(zoneinfo.available_timezones() - {"localtime"})
    alike: dict[tuple[Stretch, ...], list[str]] = {}
    for zone in zones:
        stretches = read_stretches(zone, date(2024, 12, 30), date(2028, 1, 3))
        alike.setdefault(stretches, []).append(zone)
    # Zones whose clocks never differ in these years have the same windows: one speaks for all.
    wrong = [
        line
        for stretches, same in alike.items()
        for line in all_disagreements(window_at, same[0], stretches)
    ]
    print(f"{len(zones)} zones, {len(alike)} different clocks")  # noqa: T201 - for the CI log
    assert wrong == []
    assert len(zones) >= 590
    assert len(alike) >= 60


@pytest.mark.parametrize(("zone", "year"), HISTORIC)
def test_the_odd_years_of_history_come_out_as_the_wall_clock_showed_them(
    zone: str, year: int
) -> None:
    stretches = read_stretches(zone, date(year - 1, 12, 30), date(year + 1, 1, 3))
    assert len(stretches) > 1
    assert list(all_disagreements(window_at, zone, stretches)) == []


def test_the_oracle_rejects_days_of_24_hours_counted_from_midnight() -> None:
    def naive(calendar: Calendar, at_us: int) -> Window:
        start_us = window_at(calendar, at_us).start_us
        return Window(start_us, start_us + DAY_S * SECOND)

    def wrong_days(zone: str) -> list[str]:
        stretches = read_stretches(zone, date(2025, 1, 1), date(2026, 1, 1))
        bounds = date_bounds_us(stretches, lambda _: True)
        calendar = Calendar(Period("daily", "daily"), zone)
        return [*disagreements(naive, calendar, bounds)]

    # Three instants are asked of each day: the day of 23 hours and the day of 25 are wrong.
    assert len(wrong_days("Europe/Berlin")) == 6
    assert wrong_days("Asia/Tokyo") == []


def test_the_oracle_rejects_hours_of_60_minutes_where_the_clock_moves_by_30() -> None:
    def naive(calendar: Calendar, at_us: int) -> Window:
        offset_us = read_offset_s(zoneinfo.ZoneInfo(calendar.zone), at_us // SECOND) * SECOND
        start_us = at_us - (at_us + offset_us) % (HOUR_S * SECOND)
        return Window(start_us, start_us + HOUR_S * SECOND)

    def wrong_hours(zone: str) -> list[str]:
        stretches = read_stretches(zone, date(2025, 4, 1), date(2025, 4, 10))
        bounds = tick_bounds_us(stretches, HOUR_S)
        return [*disagreements(naive, Calendar(Period("hourly", "hourly"), zone), bounds)]

    assert wrong_hours("Australia/Lord_Howe") != []
    assert wrong_hours("Australia/Sydney") == []

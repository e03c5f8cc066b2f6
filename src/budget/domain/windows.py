"""Periods and the windows they cut time into: calendar windows, rolling buckets, RFC 3339 times.

Not here: what a window holds (`budgets`, `decide`), and no clock: every instant is passed in.
Instants are integer microseconds since the Unix epoch, UTC (`_us`); zones count in seconds (`_s`).
"""

import calendar as gregorian
import re
import zoneinfo
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from budget.domain.errors import InvalidInput
from budget.domain.money import ceil_div

Kind = Literal[
    "minute",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
    "total",
    "per_session",
    "per_task",
    "rolling",
]
ResetDay = int | Literal["last"]

MAX_US: Final = 253_402_300_800_000_000
"""The start of the year 10000: "never ends"."""
BUCKETS: Final = 60
"""A rolling period counts its current bucket and this many before it."""

_US_PER_S: Final = 1_000_000
_S_PER_DAY: Final = 86_400
_LAST_OFFSET_S: Final = MAX_US // _US_PER_S - _S_PER_DAY
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_LAST_DAY: Final = date.max.toordinal()
_MAX_ROLLING_S: Final = 366 * _S_PER_DAY

_CLOCK_S: Final = {"minute": 60, "hourly": 3600}
_MONTHS: Final = {"monthly": 1, "quarterly": 3, "yearly": 12}
_LENGTH_S: Final = {"s": 1, "m": 60, "h": 3600, "d": _S_PER_DAY}
_NAMED_KINDS: Final[dict[str, Kind]] = {k: k for k in get_args(Kind) if k != "rolling"}
_ROLLING: Final = re.compile(r"rolling:0*([1-9][0-9]{0,7})([smhd])")
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_NOT_PLACES: Final = {"Factory", "localtime", "posixrules"}
_MAX_ZONE_CHARS: Final = 64
_MOST_NEAR: Final = 5


@dataclass(frozen=True, slots=True)
class Period:
    """How often a limit starts afresh; `length_us` is the span of a rolling one, else 0."""

    text: str
    kind: Kind
    length_us: int = 0


@dataclass(frozen=True, slots=True)
class Calendar:
    """A period in a place; only monthly periods look at `reset_day`."""

    period: Period
    zone: str = "UTC"
    reset_day: ResetDay = 1


class Window(NamedTuple):
    """The half-open interval [start, end)."""

    start_us: int
    end_us: int


ALWAYS: Final = Window(0, MAX_US)
DAILY: Final = Period("daily", "daily")


# --- reading -------------------------------------------------------------------------------------


def parse_period(text: object, field: str = "period") -> Period:
    """Read a period; its `text` is the canonical spelling (rolling:090s becomes rolling:90s)."""
    if isinstance(text, str):
        if text in _NAMED_KINDS:
            return Period(text, _NAMED_KINDS[text])
        if matched := _ROLLING.fullmatch(text):
            number, unit = matched.groups()
            length_s = int(number) * _LENGTH_S[unit]
            if length_s > _MAX_ROLLING_S:
                raise InvalidInput(field, "a rolling period lasts from 1 s to 366 d.")
            return Period(f"rolling:{number}{unit}", "rolling", length_s * _US_PER_S)
    allowed = (*_NAMED_KINDS, "rolling:<n>s", "rolling:<n>m", "rolling:<n>h", "rolling:<n>d")
    raise InvalidInput(field, "is not a period.", allowed)


def parse_zone(text: object, field: str = "timezone") -> str:
    """Read the IANA name of a time zone, spelt exactly as the database spells it.

    What is none is InvalidInput listing the names nearest to it, or else where names begin.
    """
    if isinstance(text, str) and text in _zone_names():
        return text
    near = _zones_near(text) if isinstance(text, str) else []
    if near:
        raise InvalidInput(
            field, "is not the IANA name of a time zone; these are the nearest.", near
        )
    areas = sorted({name.partition("/")[0] + "/…" for name in _zone_names() if "/" in name})
    raise InvalidInput(
        field, 'is not the IANA name of a time zone, such as "Europe/Berlin".', (*areas, "UTC")
    )


def _zones_near(text: str) -> list[str]:
    """Zones much like the text in any case: by their whole names first, then by the last parts."""
    if len(text) > _MAX_ZONE_CHARS:
        return []
    wanted = text.strip().lower().replace(" ", "_")
    by_whole: dict[str, list[str]] = {}
    by_place: dict[str, list[str]] = {}
    for name in sorted(_zone_names()):
        by_whole[name.lower()] = [name]
        by_place.setdefault(name.lower().rpartition("/")[2], []).append(name)
    near: dict[str, None] = {}
    for asked, names in ((wanted, by_whole), (wanted.rpartition("/")[2], by_place)):
        for found in get_close_matches(asked, names, n=_MOST_NEAR, cutoff=0.8):
            near.update(dict.fromkeys(names[found]))
    return list(near)[:_MOST_NEAR]


def parse_reset_day(value: object, field: str = "reset_day") -> ResetDay:
    """Read the day on which a monthly period starts: 1 to 28, or "last"."""
    if isinstance(value, str) and value == "last":
        return "last"
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if number and value in range(1, 29):  # 1.0 is a whole number in JSON
        return int(value)  # type: ignore[call-overload,no-any-return]
    raise InvalidInput(field, "is not a day that every month has.", ("1 to 28", '"last"'))


# --- calendar windows ----------------------------------------------------------------------------
#
# A local date begins at the first instant at which the clock on the wall shows that date or a later
# one. Said so, there is one beginning whatever a zone does at midnight: skips it (the day begins
# when the clock lands), goes through it twice (the first counts, the second evening belongs to the
# day already begun) or skips the whole date (its window is empty and holds no instant).


def window_at(calendar: Calendar, at_us: int) -> Window:
    """Return the window that holds an instant; windows of a calendar touch and never overlap.

    The last one ends at MAX_US. A rolling period has buckets, not windows: ValueError.
    """
    kind = calendar.period.kind
    if kind in ("total", "per_session", "per_task"):
        return ALWAYS
    if kind == "rolling":
        raise ValueError(f"{calendar.period.text} has buckets, not windows")
    zone = _zone(calendar.zone)
    if kind in _CLOCK_S:
        return _clock_window(zone, at_us, _CLOCK_S[kind])
    first_day, next_day = _days_around(calendar, _local_day(zone, at_us // _US_PER_S))
    end_us = _day_start_us(zone, next_day)
    while end_us <= at_us:  # the clock went back over midnight: this evening is the second one
        first_day, next_day = _days_around(calendar, next_day)
        end_us = _day_start_us(zone, next_day)
    return Window(_day_start_us(zone, first_day), end_us)


def day_calendar(calendar: Calendar) -> Calendar:
    """Return the calendar day in the same zone, for a per_session or per_task call without one."""
    return Calendar(DAILY, calendar.zone)


def _days_around(calendar: Calendar, day: int) -> tuple[int, int]:
    """The first days (ordinals) of the calendar's period that `day` lies in, and of the next."""
    kind = calendar.period.kind
    if kind == "daily":
        return day, day + 1
    if kind == "weekly":
        monday = day - (day - 1) % 7  # 0001-01-01, day 1, was a Monday
        return monday, monday + 7
    months = _MONTHS[kind]
    reset_day = calendar.reset_day if kind == "monthly" else 1
    local = date.fromordinal(day)
    month = local.year * 12 + local.month - 1
    month -= month % months
    if day < _reset_ordinal(month, reset_day):
        month -= months
    return _reset_ordinal(month, reset_day), _reset_ordinal(month + months, reset_day)


def _reset_ordinal(month: int, reset_day: ResetDay) -> int:
    """The day (ordinal) on which a month, counted from the year 0, resets."""
    year, month0 = divmod(month, 12)
    if year > date.max.year:
        return _LAST_DAY + 1
    if reset_day == "last":
        reset_day = gregorian.monthrange(year, month0 + 1)[1]
    return date(year, month0 + 1, reset_day).toordinal()


@lru_cache(maxsize=4096)
def _day_start_us(zone: ZoneInfo, day: int) -> int:
    """The first instant at which the local date is `day` (an ordinal) or later."""
    if day > _LAST_DAY:
        return MAX_US
    midnight = datetime.fromordinal(day).replace(tzinfo=zone)
    wall_s = (day - _EPOCH_DAY) * _S_PER_DAY
    # Of a midnight that comes twice, fold 0 is the first. In a gap, fold 0 reads the offset of
    # before it and fold 1 that of after, so the two enclose the instant of the jump.
    start_s = wall_s - _seconds(midnight.utcoffset())
    after_s = wall_s - _seconds(midnight.replace(fold=1).utcoffset())
    if after_s < start_s:
        landed = bisect_left(
            range(after_s, start_s), True, key=lambda at_s: _local_day(zone, at_s) >= day
        )
        start_s = after_s + landed
    return start_s * _US_PER_S


def _clock_window(zone: ZoneInfo, at_us: int, unit_s: int) -> Window:
    """The minute or hour on the local clock; a jump by part of one cuts it in two.

    A repeated hour is two windows, since it is two hours.
    """
    at_s = at_us // _US_PER_S
    offset_s = _offset_s(zone, at_s)

    def in_step(other_s: int) -> bool:
        return (_offset_s(zone, other_s) - offset_s) % unit_s == 0

    start_s = at_s - (at_s + offset_s) % unit_s
    end_s = start_s + unit_s
    if not in_step(start_s):
        start_s += bisect_left(range(start_s, at_s), True, key=in_step)
    if not in_step(end_s):
        end_s = at_s + bisect_left(range(at_s, end_s), True, key=lambda s: not in_step(s))
    return Window(start_s * _US_PER_S, min(end_s * _US_PER_S, MAX_US))


def _local_day(zone: ZoneInfo, at_s: int) -> int:
    """The local date as an ordinal; the few hours of a local year 10000 count as its eve."""
    return min((at_s + _offset_s(zone, at_s)) // _S_PER_DAY + _EPOCH_DAY, _LAST_DAY)


def _offset_s(zone: ZoneInfo, at_s: int) -> int:
    """Local time minus UTC; the last day of the year 9999 keeps the offset of its eve."""
    return _seconds(datetime.fromtimestamp(min(at_s, _LAST_OFFSET_S), zone).utcoffset())


def _seconds(offset: timedelta | None) -> int:
    assert offset is not None  # a ZoneInfo always answers, in whole seconds
    return offset.days * _S_PER_DAY + offset.seconds


@cache  # as many as there are zones; ZoneInfo's own cache keeps only eight
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NOT_PLACES)


# --- rolling buckets -----------------------------------------------------------------------------


def bucket_width_us(period: Period) -> int:
    """Return a sixtieth of a rolling period, rounded up: never late."""
    if period.kind != "rolling":
        raise ValueError(f"{period.text} has windows, not buckets")
    return ceil_div(period.length_us, BUCKETS)


def bucket_start_us(period: Period, at_us: int) -> int:
    """Return the start of the bucket that holds an instant."""
    return at_us - at_us % bucket_width_us(period)


def oldest_live_bucket_us(period: Period, at_us: int) -> int:
    """Return the start of the oldest bucket that still counts at an instant."""
    return bucket_start_us(period, at_us) - BUCKETS * bucket_width_us(period)


def leaves_at_us(period: Period, bucket_start: int) -> int:
    """Return the first instant at which a bucket no longer counts: a full period after its end."""
    return min(bucket_start + (BUCKETS + 1) * bucket_width_us(period), MAX_US)


# --- instants ------------------------------------------------------------------------------------


def from_datetime(dt: datetime) -> int:
    """Return an aware datetime as microseconds; a naive one is a ValueError."""
    if dt.utcoffset() is None:
        raise ValueError("a datetime without an offset is no instant")
    return (dt - _EPOCH) // timedelta(microseconds=1)


def to_rfc3339(us: int) -> str:
    """Write an instant before MAX_US in UTC: 2026-01-31T12:00:00Z, with .000001 where needed."""
    at_s, rest_us = divmod(us, _US_PER_S)
    return f"{_to_the_second(at_s)}.{rest_us:06d}Z" if rest_us else f"{_to_the_second(at_s)}Z"


def parse_rfc3339(text: object, field: str) -> int:
    """Read an RFC 3339 time of 1970 to 9999; digits past the microsecond are cut off."""
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise InvalidInput(
            field, 'must be an RFC 3339 time with its offset, such as "2026-01-31T12:00:00Z".'
        )
    try:
        at_us = from_datetime(datetime.fromisoformat(text.upper()))
    except ValueError:
        raise InvalidInput(field, "is not a date of the calendar.") from None
    if not 0 <= at_us < MAX_US:
        raise InvalidInput(field, "must lie in the years 1970 to 9999 (UTC).")
    return at_us


@lru_cache(maxsize=4096)  # window bounds and the second of now come again and again
def _to_the_second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()[:19]

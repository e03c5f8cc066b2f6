"""Quiet hours: when people are left alone, on which days, and what wakes them all the same.

    22:00 to 07:00 in Europe/Berlin, begun on mon, tue, wed, thu or fri; an error breaks through

Civil times of a zone, so the hours move with summer time. Not here: who is told of what
(`engine.channels`).
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from budget.domain.errors import InvalidInput
from budget.domain.windows import MAX_US, from_datetime, parse_zone

SEVERITIES: Final = ("info", "warning", "error")
"""From the least to the most severe."""
NEVER: Final = "never"
"""In place of a severity: nothing breaks through."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIELDS: Final = ("from", "to", "timezone", "days", "min_severity")

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_SECOND_US: Final = 1_000_000


class Quiet(NamedTuple):
    """Hours from one minute of the day to another, perhaps past midnight; equal: all day."""

    from_minute: int
    to_minute: int
    timezone: str
    days: tuple[str, ...]
    min_severity: str


def parse_quiet(given: object, field: str = "quiet") -> Quiet | None:
    """Quiet hours from an object; None for an empty one."""
    if not isinstance(given, Mapping):
        raise InvalidInput(field, "must be an object.", FIELDS)
    for name in given:
        if name not in FIELDS:
            raise InvalidInput(f"{field}.{str(name)[:80]}", "is not a field here.", FIELDS)
    if not given:
        return None
    severity = given.get("min_severity")
    if severity is None:
        severity = "error"
    if severity not in (*SEVERITIES, NEVER):
        raise InvalidInput(
            f"{field}.min_severity", "is not a severity.", (*SEVERITIES, NEVER)
        )  # fmt: skip
    zone = given.get("timezone")
    quiet = Quiet(
        _minute(given.get("from"), f"{field}.from"),
        _minute(given.get("to"), f"{field}.to"),
        "UTC" if zone is None else parse_zone(zone, f"{field}.timezone"),
        _days(given.get("days"), f"{field}.days"),
        severity,
    )
    if quiet.from_minute == quiet.to_minute and quiet.days == DAYS:
        raise InvalidInput(f"{field}.to", "must differ from `from`, or the quiet would never end.")
    return quiet


def quiet_to_json(quiet: Quiet) -> dict[str, Any]:
    """As it is written."""
    return {
        "from": _clock(quiet.from_minute),
        "to": _clock(quiet.to_minute),
        "timezone": quiet.timezone,
        "days": list(quiet.days),
        "min_severity": quiet.min_severity,
    }


def told_at_us(quiet: Quiet | None, severity: str, at_us: int) -> int:
    """When something that is due at an instant may be told: then, or when the quiet hours end."""
    if quiet is None or breaks_through(quiet, severity):
        return at_us
    end_us = _end_us(quiet, at_us)
    while end_us is not None:  # one day's hours may end where the next day's begin
        at_us = end_us
        end_us = _end_us(quiet, at_us)
    return at_us


def breaks_through(quiet: Quiet, severity: str) -> bool:
    """Whether something is severe enough to be told at once."""
    if quiet.min_severity == NEVER:
        return False
    return SEVERITIES.index(severity) >= SEVERITIES.index(quiet.min_severity)


def _end_us(quiet: Quiet, at_us: int) -> int | None:
    """The end of the quiet hours that an instant lies in; None if it lies in none."""
    if at_us >= MAX_US:
        return None
    zone = _zone(quiet.timezone)
    # A whole second: civil times have no finer edges here.
    local = datetime.fromtimestamp(at_us // _SECOND_US, UTC).astimezone(zone)
    for day in (local.date() - timedelta(days=1), local.date()):
        if DAYS[day.weekday()] not in quiet.days:
            continue
        last = day if quiet.from_minute < quiet.to_minute else day + timedelta(days=1)
        start_us = _instant_us(day, quiet.from_minute, zone)
        end_us = _instant_us(last, quiet.to_minute, zone)
        if start_us <= at_us < end_us:
            return end_us
    return None


def _instant_us(day: date, minute: int, zone: ZoneInfo) -> int:
    hour, rest = divmod(minute, 60)
    return from_datetime(datetime(day.year, day.month, day.day, hour, rest, tzinfo=zone))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _minute(value: object, field: str) -> int:
    if value is None:
        raise InvalidInput(field, "is required: a time of day such as 22:00.")
    written = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise InvalidInput(field, "must be a time of day such as 22:00.")
    return int(written[1]) * 60 + int(written[2])


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _days(value: object, field: str) -> tuple[str, ...]:
    if value is None:
        return DAYS
    if not isinstance(value, list | tuple) or not value:
        raise InvalidInput(field, "must be a list of days.", DAYS)
    for at, day in enumerate(value):
        if day not in DAYS:
            raise InvalidInput(f"{field}[{at}]", "is not a day.", DAYS)
    return tuple(day for day in DAYS if day in value)

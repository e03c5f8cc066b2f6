"""Spans: the time that a command is about, from what was typed of it and from what time it is.

Not here: what the time is about (`usage`, `report`), and days as people type them (`dates`).
"""

import time
from typing import Final

from budget.cli.typed import parse_instant
from budget.domain.errors import InvalidInput
from budget.domain.windows import (
    DAILY,
    MAX_US,
    Calendar,
    Period,
    Window,
    to_rfc3339,
    window_at,
)

MAX_DAYS: Final = 3660


def now_us() -> int:
    """What time it is on this machine."""
    return time.time_ns() // 1000


def last_days(days: int, zone: str) -> Window:
    """The last days, today with them, until now; InvalidInput for a number that is none."""
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput("--days", f"must be a number from 1 to {MAX_DAYS}.")
    at_us = now_us()
    calendar = Calendar(DAILY, zone)
    start_us = window_at(calendar, at_us).start_us
    for _ in range(days - 1):
        start_us = window_at(calendar, start_us - 1).start_us
    return Window(start_us, at_us)


def window_of(period: Period, zone: str, since: str | None, until: str | None) -> Window:
    """The time that was typed, else the window of the period that now lies in.

    With only a beginning it lasts to the end of the window of now, with only an end it is the
    window of the period that this end closes.
    """
    calendar = Calendar(period, zone)
    end_us = window_at(calendar, now_us()).end_us if until is None else parse_instant(until, "--to")
    if since is None:
        start_us = window_at(calendar, max(0, end_us - 1)).start_us
    else:
        start_us = parse_instant(since, "--from")
    if start_us >= end_us:
        raise InvalidInput("--from", "must lie before --to.")
    return Window(start_us, end_us)


def before(window: Window, period: Period, zone: str) -> Window | None:
    """The time before: the window of the calendar before it, or as long a time. None at the start
    of all time.
    """
    start_us, end_us = window
    if not start_us:
        return None
    calendar = Calendar(period, zone)
    if window_at(calendar, start_us) == window:
        return window_at(calendar, start_us - 1)
    return Window(max(0, 2 * start_us - end_us), start_us)


def asked(window: Window) -> dict[str, str]:
    """The time as the facade asks for it."""
    return {
        "since": to_rfc3339(window.start_us), "until": to_rfc3339(min(window.end_us, MAX_US - 1)),
    }  # fmt: skip

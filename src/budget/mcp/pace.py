"""Pace: where a window ends, and when its limit is reached, by a straight line through now.

The line is that of the alert `exhausted_soon` (`domain.alerts`), drawn earlier too.
"""

from typing import Final, NamedTuple

from budget.domain.windows import MAX_US, Window

_SURE_PART: Final = 8
"""From an eighth of a window on a pace says something."""


class Pace(NamedTuple):
    """What is used at the end of the window; None: it has none. When the limit is reached, if
    before that. Whether enough of the window has gone for that to say much.
    """

    at_end: int | None
    reached_us: int | None
    sure: bool


def projected(limit: int, used: int, window: Window, now_us: int) -> Pace:
    """Where a window leads of which `used` is used. A limit that is reached is so now."""
    start_us, end_us = window
    elapsed_us, length_us = max(1, now_us - start_us), end_us - start_us
    if end_us >= MAX_US or not start_us:
        return Pace(None, now_us if used >= limit else None, False)
    at_end = max(used, used * length_us // elapsed_us)
    sure = elapsed_us * _SURE_PART >= length_us
    if used >= limit:
        return Pace(at_end, now_us, sure)
    if not used:
        return Pace(at_end, None, sure)
    reached_us = start_us - (-limit * elapsed_us // used)
    return Pace(at_end, reached_us if reached_us < end_us else None, sure)

"""Dates as people type them: a day stands for its midnight in UTC, 7d for so long ago."""

import re
import time
from typing import Final

from budget.domain.windows import to_rfc3339

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])")
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def instant(text: str) -> str:
    """The RFC 3339 time of what was typed; whatever else it is, the engine judges."""
    return f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text


def past(text: str) -> str:
    """As `instant`, of a time that is over: 90m, 12h, 7d and 2w are so long ago."""
    ago = _AGO.fullmatch(text.strip())
    if ago is None:
        return instant(text)
    ago_us = int(ago[1]) * SECONDS[ago[2]] * 1_000_000
    return to_rfc3339(max(0, time.time_ns() // 1000 - ago_us))


def span(since: str | None, until: str | None) -> dict[str, str]:
    """The time [since, until) as the API asks for it, of what was typed of it."""
    typed = (("since", since), ("until", until))
    return {name: past(text) for name, text in typed if text is not None}


def span_text(since: str, until: str) -> str:
    """A time in words, its days without their midnights."""
    return f"{_short(since)} to {_short(until)}"


def _short(at: str) -> str:
    day, _, time = at.partition("T")
    return day if time == "00:00:00Z" else f"{day} {time[:5]}"

"""Dates as people type them: a day stands for its midnight in UTC."""

import re
from typing import Final

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def instant(text: str) -> str:
    """The RFC 3339 time of what was typed; whatever else it is, the engine judges."""
    return f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text


def span(since: str | None, until: str | None) -> dict[str, str]:
    """The time [since, until) as the API asks for it, of what was typed of it."""
    typed = (("since", since), ("until", until))
    return {name: instant(text) for name, text in typed if text is not None}


def span_text(since: str, until: str) -> str:
    """A time in words, its days without their midnights."""
    return f"{_short(since)} to {_short(until)}"


def _short(at: str) -> str:
    day, _, time = at.partition("T")
    return day if time == "00:00:00Z" else f"{day} {time[:5]}"

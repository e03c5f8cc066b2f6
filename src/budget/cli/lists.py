"""Lists: pages of the facade put together, as many items as are wanted, and how they are told.

Not here: how rows look (`tables`).
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from budget.cli.face import Face
from budget.domain.answers_pages import Page
from budget.domain.errors import InvalidInput
from budget.domain.windows import MAX_US, to_rfc3339

if TYPE_CHECKING:
    from budget.engine.settings import Settings

T = TypeVar("T")

PAGE: Final = 1000
_SAYING: Final = ("BUDGET_TIMEZONE", "BUDGET_CONFIG_DIR", "XDG_CONFIG_HOME", "HOME")


def gather(read: Callable[[int, str | None], Page[T]], most: int | None = None) -> Page[T]:
    """The first `most` items of a list, or all; `read` takes how many at most, and a cursor."""
    if most is not None and most < 1:
        raise InvalidInput("--limit", "must be 1 or more.")
    items: list[T] = []
    cursor: str | None = None
    while True:
        page = read(PAGE if most is None else min(PAGE, most - len(items)), cursor)
        items += page.items
        cursor = page.next_cursor
        if cursor is None or len(items) == most:
            return Page(items, cursor)


def print_page(face: Face, page: Page[T], shape: Callable[[T], Any]) -> None:
    """A list for programs: its items, and whether more follow."""
    face.print_json(
        {"items": [shape(item) for item in page.items], "next_cursor": page.next_cursor}
    )


def note_rest(face: Face, page: Page[T]) -> None:
    """Say that there is more, where there is."""
    if page.next_cursor is not None:
        shown = len(page.items)
        face.note(f"Only the first {shown:,} are shown; --limit {shown * 10} shows more.")


def moment(face: Face, at_us: int | None, never: str = "") -> str:
    """An instant in a table: to the minute for people, in full for programs."""
    if at_us is None or at_us >= MAX_US:
        return never
    return spoken(at_us) if face.pretty else to_rfc3339(at_us)


def spoken(at_us: int) -> str:
    """An instant in a sentence, to the minute, in this user's time zone: 2026-11-26 10:15 CET."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return f"{at.astimezone(_zone()):%Y-%m-%d %H:%M %Z}"


def _zone() -> ZoneInfo:
    from budget.engine.settings import Settings

    return _zone_in(Settings.read, *(os.environ.get(name) for name in _SAYING))


@lru_cache(maxsize=8)
def _zone_in(read: "Callable[[], Settings]", *_said: str | None) -> ZoneInfo:
    """The zone that the settings name, read once for what may say which settings those are."""
    return ZoneInfo(read().timezone)

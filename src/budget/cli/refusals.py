"""Refusals: what was refused lately, as the journal tells it, newest last.

The journal keeps one entry a policy, partition and second, with how many it stands for. Not here:
why one was refused (`explain`).
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from budget.domain.answers import Event
from budget.domain.answers_pages import Page
from budget.domain.windows import MAX_US, to_rfc3339
from budget.domain.wire.parts import amount_text

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books

PAGE: Final = 1000


class Refused(NamedTuple):
    """A refusal that was kept, of `times` that were alike; amounts are in the policy's unit."""

    cursor: int
    at_us: int
    actor: str
    policy_id: str | None
    times: int
    attributes: dict[str, str]
    why: str


def read(
    books: "Books", after: str | None = None, *, since_us: int
) -> tuple[list[Refused], str | None]:
    """The refusals after a cursor, and since a time; and the cursor to read on from."""
    found: list[Refused] = []
    for page in _pages(books, after, since_us):
        found += map(_refused, page.items)
        after = page.next_cursor
    return found, after


def between(books: "Books", since_us: int, until_us: int) -> Iterator[Refused]:
    """The refusals of a time, oldest first."""
    for page in _pages(books, None, since_us, until_us):
        yield from map(_refused, page.items)


def _pages(
    books: "Books", after: str | None, since_us: int, until_us: int = MAX_US
) -> Iterator[Page[Event]]:
    """Page after page; a short one may be followed by more, one that leads nowhere is the last."""
    since, until = to_rfc3339(since_us), to_rfc3339(min(until_us, MAX_US - 1))
    while True:
        page = books.events(kind="refused", after=after, limit=PAGE, since=since, until=until)
        yield page
        if page.next_cursor == after:
            return
        after = page.next_cursor


def _refused(event: Event) -> Refused:
    detail = json.loads(event.detail)
    return Refused(
        event.cursor,
        event.at_us,
        event.actor,
        event.policy_id or None,
        int(detail.get("count", 1)),
        dict(detail.get("attributes") or {}),
        why(detail),
    )


def why(detail: dict[str, object]) -> str:
    """Why it was refused, in words."""
    unit = str(detail.get("unit"))
    code = detail.get("code")
    if code == "model_unpriced":
        return f"model {detail.get('model')} has no price"
    requested, limit, short = (detail.get(name) for name in ("requested", "limit", "shortfall"))
    if not isinstance(requested, int) or not isinstance(short, int):
        return "over a limit"
    of = f" of {amount_text(limit, unit)}" if isinstance(limit, int) else ""
    what = "envelope" if code == "envelope_exhausted" else "limit"
    return f"asked {amount_text(requested, unit)}, {amount_text(short, unit)} over the {what}{of}"

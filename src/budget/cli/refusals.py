"""Refusals: what was refused lately, as the journal tells it, newest last.

The journal keeps one entry a policy, partition and second, with how many it stands for. Not here:
why one was refused (`explain`).
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from budget.domain.answers import Event
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


def read(books: "Books", after: str | None = None) -> tuple[list[Refused], str | None]:
    """Every refusal after a cursor, and the cursor to read on from."""
    found: list[Refused] = []
    while True:
        page = books.events(kind="refused", after=after, limit=PAGE)
        found += map(_refused, page.items)
        if page.next_cursor == after or len(page.items) < PAGE:
            return found, page.next_cursor
        after = page.next_cursor


def between(books: "Books", since_us: int, until_us: int) -> Iterator[Refused]:
    """The refusals of a time."""
    return (one for one in read(books)[0] if since_us <= one.at_us < until_us)


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

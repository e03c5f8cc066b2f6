"""`budget watch`: events as they come, a line each.

Not here: what a line says (`event_lines`).
"""

import json
import time
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.event_lines import Lines
from budget.cli.face import Face
from budget.cli.naming import find_budget
from budget.cli.typed import given, parse_pairs, typed_as
from budget.domain import cursors
from budget.domain.answers import Event
from budget.domain.errors import InvalidInput, Unavailable
from budget.domain.wire.journal import event

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books

PAGE: Final = 500
RETRY_SECONDS: Final = 2.0
MAX_LAST: Final = 10_000
_CURSOR_BITS: Final = 62
_SEVERAL: Final = {"topic": "topics", "kind": "kinds"}
"""What events may be asked for one of, and followed by several."""


def watch(
    *,
    topic: str | None = None,
    kind: str | None = None,
    budget: str | None = None,
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    since: str | None = None,
    last: int = 0,
    once: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show events as they come, a line each; Ctrl-C ends it.

    Parameters
    ----------
    topic:
        Only of this topic, such as allocation_updates or budget_alerts.
    kind:
        Only of this kind, such as refused.
    budget:
        Only about this budget: its id or its name.
    attribute:
        Only of calls with this attribute, such as team=search; may be said several times.
    since:
        Begin after this cursor, which --json tells of each event.
    last:
        Begin with this many events of the past.
    once:
        Show what there is, and end.
    """
    if not 0 <= last <= MAX_LAST:
        raise InvalidInput("--last", f"must be a number from 0 to {MAX_LAST}.")
    if since is not None:
        cursors.decode(since, "--since")
        if last:
            raise InvalidInput("--last", "counts from the end; leave out --since.")
    attributes = parse_pairs(attribute, "--attribute") or None
    wanted: dict[str, Any] = given({"topic": topic, "kind": kind, "attributes": attributes})
    names = typed_as(topic="--topic", kind="--kind", attributes="--attribute", after="--since")
    with open_budget(face) as books, names:
        if budget is not None:
            wanted["budget_id"] = find_budget(books, budget, "--budget").budget_id
        books.events(limit=1, **wanted)  # what is wrong with it is told at once
        lines = Lines(books, face)
        if since is None and last:
            since = _tell_last(face, books, lines, wanted, last)
        elif since is None:
            since = newest(books)
        if once:
            _tell_rest(face, books, lines, wanted, since)
            return exits.OK
        try:
            _follow(face, books, lines, wanted, since)
        except KeyboardInterrupt:
            return exits.INTERRUPTED


def _tell_last(
    face: Face, books: "Books", lines: Lines, wanted: dict[str, Any], last: int
) -> str | None:
    """Tell the last events there are; the cursor to go on from."""
    kept: deque[Event] = deque(maxlen=last)
    after: str | None = None
    while True:
        page = books.events(after=after, limit=PAGE, **wanted)
        kept.extend(page.items)
        if page.next_cursor == after:
            break
        after = page.next_cursor
    for one in kept:
        _tell(face, lines, one)
    return after


def _tell_rest(
    face: Face, books: "Books", lines: Lines, wanted: dict[str, Any], after: str | None
) -> None:
    """Tell what there is by now."""
    while True:
        page = books.events(after=after, limit=PAGE, **wanted)
        for one in page.items:
            _tell(face, lines, one)
        if page.next_cursor == after:
            return
        after = page.next_cursor


def _follow(
    face: Face, books: "Books", lines: Lines, wanted: dict[str, Any], after: str | None
) -> NoReturn:
    """Tell what comes, until Ctrl-C; a service that is away for long is waited for."""
    asked = {_SEVERAL.get(name, name): value for name, value in wanted.items()}
    asked |= {name: [asked[name]] for name in _SEVERAL.values() if name in asked}
    at: str | int = cursors.encode(0) if after is None else after
    away = False
    while True:
        try:
            for one in books.follow(after=at, **asked):
                _tell(face, lines, one)
                at, away = one.cursor, False
        except Unavailable as error:
            if not away:
                face.note(f"budget: {error.detail} Waiting for it.")
            away = True
            time.sleep(RETRY_SECONDS)


def _tell(face: Face, lines: Lines, one: Event) -> None:
    if face.json:
        shape = event(one, cursors.encode(one.cursor))
        print(json.dumps(shape, ensure_ascii=False), flush=True)
    else:
        lines.tell(one)


def newest(books: "Books") -> str | None:
    """The cursor after which nothing has happened yet: found by halving, not by reading it all."""
    low, high = -1, 1 << _CURSOR_BITS
    if not books.events(limit=1).items:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if books.events(after=cursors.encode(middle), limit=1).items:
            low = middle
        else:
            high = middle
    return cursors.encode(high)

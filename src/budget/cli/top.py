"""`budget top`: spend, burn rate, limits and refusals on a screen that is drawn anew each second.

Not here: what is on the screen (`top_frame`).
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits, refusals
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.lists import gather
from budget.cli.spans import asked, now_us
from budget.cli.top_frame import Frame, Line, lines
from budget.domain.answers_usage import Figures
from budget.domain.errors import InvalidInput, Unavailable
from budget.domain.windows import Window

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
MAX_SECONDS: Final = 3600
_LIMITS: Final = 8
_STYLES: Final = {"warn": "yellow", "over": "bold red", "title": "bold"}


def top(
    *,
    once: bool = False,
    every: float = 1,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show spend, burn rate, the fullest limits and the last refusals; q or Ctrl-C leaves.

    Parameters
    ----------
    once:
        Print one frame and end; also where the answer goes into a pipe.
    every:
        How many seconds there are between two frames.
    """
    if not 0.1 <= every <= MAX_SECONDS:
        raise InvalidInput("--every", f"must be from 0.1 to {MAX_SECONDS} seconds.")
    if face.json:
        raise InvalidInput("--json", "is not for a screen; `budget report day --json` tells it.")
    with open_budget(face) as books:
        if once or not face.pretty:
            for line in lines(_read(books, [], None)[0], face.console().width):
                _print(face, line)
            return exits.OK
        try:
            _live(face, books, every)
        except KeyboardInterrupt:
            return exits.INTERRUPTED
    return exits.OK


def _print(face: Face, line: Line) -> None:
    if face.pretty:
        from rich.text import Text

        face.console().print(Text(line.text, style=_STYLES.get(line.mood, "")), soft_wrap=True)
    else:
        face.print(line.text)


def _live(face: Face, books: "Books", every: float) -> None:
    """Draw frame after frame until somebody types q."""
    from rich.live import Live
    from rich.text import Text

    kept: list[refusals.Refused] = []
    cursor: str | None = None
    console = face.console()
    with _keys() as typed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                frame, kept, cursor = _read(books, kept, cursor)
                shown = lines(frame, console.width)[: console.height]
            except Unavailable as error:
                shown = [Line(error.detail, "over")]
            drawn = Text("\n").join(
                Text(one.text, style=_STYLES.get(one.mood, "")) for one in shown
            )
            live.update(drawn, refresh=True)
            if typed(every) in ("q", "Q"):
                return


def _read(
    books: "Books", kept: list[refusals.Refused], cursor: str | None
) -> tuple[Frame, list[refusals.Refused], str | None]:
    """What there is to show now; the refusals of a day, and where to read on."""
    at_us = now_us()
    hour = Window(at_us - HOUR_US, at_us)

    def summed(**ask: Any) -> Figures:
        return books.usage_summary(**ask).total

    standings = [
        one for one in gather(lambda most, at: books.standings(limit=most, cursor=at)).items
        if one.fullest is not None and one.fullest.limit
    ]  # fmt: skip
    standings.sort(key=lambda one: -(_share(one.fullest)))
    fullest = standings[:_LIMITS]
    rates = {
        one.policy.policy_id: summed(budget_id=one.policy.budget_id, **asked(hour))
        for one in fullest
    }
    by_user = books.usage_summary(group_by=["user"], period="daily")
    by_model = books.usage_summary(group_by=["model"], period="daily")
    more, cursor = refusals.read(books, cursor, since_us=at_us - DAY_US)
    kept = [*kept, *more][-1000:]
    frame = Frame(
        at_us=at_us,
        today=summed(period="daily"),
        month=summed(period="monthly"),
        hour=summed(**asked(hour)),
        minute=summed(**asked(Window(at_us - HOUR_US // 60, at_us))),
        fullest=[(one.fullest, rates[one.policy.policy_id]) for one in fullest if one.fullest],
        users=by_user.groups[:5],
        models=by_model.groups[:5],
        refused=kept[-5:],
    )
    return frame, kept, cursor


def _share(view: Any) -> float:
    """How full a balance is; only for the order."""
    return float((view.spent + view.assumed + view.reserved) / view.limit)


@contextmanager
def _keys() -> Iterator[Any]:
    """Whoever calls it waits for a key so long, and is told which; "" for none."""
    import select

    if not sys.stdin.isatty():
        yield _nothing_typed
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield (
            lambda seconds: (
                sys.stdin.read(1) if select.select([sys.stdin], [], [], seconds)[0] else ""
            )
        )
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _nothing_typed(seconds: float) -> str:
    time.sleep(seconds)
    return ""

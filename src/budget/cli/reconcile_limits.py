"""`budget reconcile --api openrouter`: the limits of its keys beside those of our budgets.

Not here: how they are read and compared (`engine.importing.openrouter`), and usage (`reconcile`).
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.tables import Column, Row, counted, show
from budget.domain.money import format_usd

if TYPE_CHECKING:
    from budget.domain.answers_usage import Standing
    from budget.domain.facade import Facade
    from budget.engine.importing.openrouter import Beside

_PAGE: Final = 1000
_COLUMNS: Final = (
    Column("Key", folds=True),
    Column("Period"),
    Column("Limit", "amount"),
    Column("Theirs", "amount"),
    Column("Spent", "amount"),
    Column("Theirs", "amount"),
    Column("Verdict"),
)


def compare_limits(face: Face, tolerance_bps: int) -> int:
    """Show each key beside the budget of its name; 1 where they differ."""
    from budget.engine.importing.openrouter import beside, ours_of, read_keys

    theirs = read_keys(os.environ)
    with open_budget(face) as books:
        ours = ours_of(_standings(books))
    rows = beside(theirs, ours, tolerance_bps)
    wrong = sum(row.verdict != "agrees" for row in rows)
    if face.json:
        face.print_json({"agrees": not wrong, "keys": [_shape(row) for row in rows]})
    else:
        show(face, _COLUMNS, [_row(row) for row in rows])
        what = "agrees" if not wrong else f"{wrong:,} not as here"
        face.print(f"{counted(len(rows), 'key')}: {what}.")
    return exits.FAILED if wrong else exits.OK


def _standings(books: "Facade") -> "Iterator[Standing]":
    cursor = None
    while True:
        page = books.standings(limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _row(row: "Beside") -> Row:
    theirs, ours = row.theirs, row.ours
    return Row((
        row.name, theirs.period,
        _usd(None if ours is None else ours.limit_nanos), _usd(theirs.limit_nanos),
        _usd(None if ours is None else ours.spent_nanos), _usd(theirs.used_nanos), row.verdict,
    ))  # fmt: skip


def _usd(nanos: int | None) -> str:
    return "" if nanos is None else format_usd(nanos)


def _shape(row: "Beside") -> dict[str, Any]:
    theirs, ours = row.theirs, row.ours
    return {
        "name": row.name, "verdict": row.verdict,
        "theirs": {
            "period": theirs.period, "limit": _usd(theirs.limit_nanos) or None,
            "used": _usd(theirs.used_nanos), "disabled": theirs.disabled,
        },
        "ours": None if ours is None else {
            "budget": ours.budget, "period": ours.period, "limit": _usd(ours.limit_nanos),
            "spent": _usd(ours.spent_nanos),
        },
    }  # fmt: skip

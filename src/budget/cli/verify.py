"""`budget verify`: the books recomputed from their entries, and whatever does not add up."""

from typing import Annotated

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import Books, open_books
from budget.cli.face import Face
from budget.cli.tables import counted
from budget.domain.shapes import VerificationShape


def verify(*, anchor: str | None = None, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Recompute every balance from the entries and list whatever does not add up.

    May be run at any time, also while the service is under load. Ends with 1 if anything is wrong.

    Parameters
    ----------
    anchor
        The head of the seals that an earlier run has told, as number:hash: it must still be there.
    """
    with open_books(face) as books:
        found = _recompute(face, books, anchor)
    if face.json:
        face.print_json(found)
    else:
        _show(face, found)
    return exits.OK if found["clean"] else exits.FAILED


def _recompute(face: Face, books: Books, anchor: str | None) -> VerificationShape:
    """The findings, with a bar on a terminal."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("Verifying"), BarColumn(), TimeElapsedColumn())
    with face.progress(*columns) as progress:
        bar = progress.add_task("", total=None)
        return books.verify(
            anchor, lambda done, total: progress.update(bar, completed=done, total=total)
        )


def _show(face: Face, found: VerificationShape) -> None:
    for violation in found["violations"]:
        face.print(f"{violation['invariant']}  {violation['subject']}: {violation['detail']}")
    untold = found["count"] - len(found["violations"])
    if untold:
        face.print(f"and {untold:,} more")
    checked = ", ".join(
        (
            counted(found["entries"], "entry", "entries"),
            counted(found["usage_records"], "usage record"),
            counted(found["allocations"], "allocation"),
            counted(found["balances"], "balance"),
        )
    )
    if found["clean"]:
        face.print(f"The books add up: {checked}.")
    else:
        face.print(f"{counted(found['count'], 'violation')} in {checked}.")
    sealed = found["sealed"]
    if sealed["head"] is not None:
        face.print(
            f"Sealed: {counted(sealed['entries'], 'entry', 'entries')} in "
            f"{counted(sealed['blocks'], 'block')}, up to {sealed['head']}"
        )

"""`budget verify`: the books recomputed from their entries, and whatever does not add up."""

from typing import Annotated

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.tables import counted
from budget.domain.answers_audit import Verification
from budget.domain.windows import parse_period


def verify(*, anchor: str | None = None, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Recompute every balance from the entries and list whatever does not add up.

    May be run at any time, also while the service is under load. Ends with 1 if anything is wrong.

    Parameters
    ----------
    anchor
        The head of the seals that an earlier run has told, as number:hash: it must still be there.
    """
    with open_budget(face) as books, face.counting("Verifying") as tell:
        found = books.verify(anchor=anchor, progress=tell)
    if face.json:
        from budget.domain.wire import verification

        face.print_json(verification(found))
    else:
        _show(face, found)
    return exits.OK if found.clean else exits.FAILED


def recalculate(*, period: str | None = None, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Recompute the books, as `budget verify` does: balances are never out of date.

    Parameters
    ----------
    period
        Taken and checked; every period is recomputed.
    """
    if period is not None:
        parse_period(period, "--period")
    face.note("Balances change with the entries, in one transaction: they are held against them.")
    return verify(face=face)


def _show(face: Face, found: Verification) -> None:
    for violation in found.violations:
        face.print(f"{violation.invariant}  {violation.subject}: {violation.detail}")
    untold = found.count - len(found.violations)
    if untold:
        face.print(f"and {untold:,} more")
    checked = ", ".join(
        (
            counted(found.entries, "entry", "entries"),
            counted(found.usage_records, "usage record"),
            counted(found.allocations, "allocation"),
            counted(found.balances, "balance"),
        )
    )
    if found.clean:
        face.print(f"The books add up: {checked}.")
    else:
        face.print(f"{counted(found.count, 'violation')} in {checked}.")
    sealed = found.sealed
    if sealed.anchor is not None:
        face.print(
            f"Sealed: {counted(sealed.entries, 'entry', 'entries')} in "
            f"{counted(sealed.blocks, 'block')}, up to {sealed.anchor}"
        )

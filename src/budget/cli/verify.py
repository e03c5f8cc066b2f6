"""`budget verify`: the books recomputed from their entries, and whatever does not add up."""

from typing import Annotated, Any

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_books
from budget.cli.face import Face


def verify(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Recompute every balance from the entries and list whatever does not add up.

    May be run at any time, also while the service is under load. Ends with 1 if anything is wrong.
    """
    with open_books(face) as books:
        found = face.working(f"Verifying {books.where} ...", books.verify)
        where = books.where
    if face.json:
        face.print_json(found)
    else:
        _show(face, found, where)
    return exits.OK if found["clean"] else exits.FAILED


def _show(face: Face, found: dict[str, Any], where: str) -> None:
    for violation in found["violations"]:
        if isinstance(violation, dict):
            named = f"{violation['invariant']}  {violation['subject']}: {violation['detail']}"
        else:
            named = str(violation)
        face.print(named)
    if found["clean"]:
        face.print(f"The books add up: {where}")
    else:
        total = found.get("count", len(found["violations"]))
        face.print(f"{total:,} violations: {where}")

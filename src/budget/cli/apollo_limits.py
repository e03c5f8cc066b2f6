"""`budget limits apollo`: Apollo's limits of tokens by tier, or policies and allocations of a file.

Not here: what its policies and allocations say (`engine.importing.apollo`).
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import NoLedger, open_budget
from budget.cli.face import Face
from budget.cli.lists import gather
from budget.cli.tables import Column, Row, counted, show
from budget.domain.answers import Allocation
from budget.domain.errors import NotFound
from budget.domain.windows import parse_zone

if TYPE_CHECKING:
    from budget.domain.facade import Facade
    from budget.engine.importing.apollo import Ask, Takeover

_COLUMNS: Final = (
    Column("Budget", folds=True), Column("Period"), Column("Limit", "amount"), Column("Unit"),
    Column("Enforcement"), Column("Did", rank=1),
)  # fmt: skip
_BEFORE: Final = "held before"


def apollo_limits(
    file: str | None = None,
    /,
    *,
    hard: bool = False,
    timezone: str = "UTC",
    dry_run: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Set up Apollo's limits of tokens by tier: an hour's, a day's and a context's.

    What is there already is left as it is.

    Parameters
    ----------
    file:
        A file of JSON with policies and allocations of Tekton, which are taken over instead.
    hard:
        Apollo's own limits refuse calls beyond them; else they warn.
    timezone:
        The time zone of times in the file that name none, such as Europe/Berlin.
    dry_run:
        Say what would be set and what is there already, and set nothing.
    """
    wanted = _wanted(file, parse_zone(timezone, "--timezone"), hard=hard)
    if dry_run:
        return _show(face, wanted, *_rehearsed(face, wanted), dry=True)
    with open_budget(face, create=True) as books:
        did = [books.set_limit(**ask).did.replace("_", " ") for ask in wanted.limits]
        held = [_hold(books, ask) for ask in wanted.holds]
    return _show(face, wanted, did, held, dry=False)


def _rehearsed(face: Face, wanted: "Takeover") -> tuple[list[str], list[str]]:
    """What would be done of each limit and each hold, beside what is there."""
    from budget.engine.importing.apollo import would_do

    try:
        with open_budget(face) as books:
            there = gather(lambda most, at: books.budgets(limit=most, cursor=at), None).items
            held = [_would_hold(books, ask) for ask in wanted.holds]
    except NoLedger:
        there, held = [], ["would be held"] * len(wanted.holds)
    return [would_do(ask, there) for ask in wanted.limits], held


def _would_hold(books: "Facade", ask: "Ask") -> str:
    try:
        books.allocation(ask["allocation_id"])
    except NotFound:
        return "would be held"
    return _BEFORE


def _wanted(file: str | None, zone: str, *, hard: bool) -> "Takeover":
    from budget.engine.importing.apollo import default_limits, read_takeover

    if file is None:
        return default_limits("hard_limit") if hard else default_limits()
    return read_takeover(Path(file), time.time_ns() // 1000, zone)


def _hold(books: "Facade", ask: "Ask") -> str:
    """Place a hold; what came of it."""
    answer = books.allocate(**ask)
    if isinstance(answer, Allocation):
        return _BEFORE if answer.replayed else "held"
    return f"refused: {answer.detail}"


def _show(face: Face, wanted: "Takeover", did: list[str], held: list[str], *, dry: bool) -> int:
    refused = [told for told in held if told.startswith("refused")]
    code = exits.FAILED if wanted.bad or refused else exits.OK
    if face.json:
        face.print_json({
            "dry_run": dry,
            "limits": [{**ask, "did": one} for ask, one in zip(wanted.limits, did, strict=True)],
            "holds": [
                {**ask, "did": one} for ask, one in zip(wanted.holds, held, strict=True)
            ],
            "problems": [{"place": bad.place, "why": bad.why} for bad in wanted.bad],
        })  # fmt: skip
        return code
    rows = [
        Row(
            (
                ask["name"],
                ask["period"],
                str(ask["limit"]),
                ask["unit"],
                ask["enforcement"],
                "there already" if one == "nothing" else one,
            )
        )
        for ask, one in zip(wanted.limits, did, strict=True)
    ]
    if rows:
        show(face, _COLUMNS, rows)
    for did_so in ("would be held" if dry else "held", _BEFORE):
        if did_so in held:
            face.print(f"{counted(held.count(did_so), 'allocation')} {did_so}.")
    for told in refused:
        face.print(f"Not held: {told.removeprefix('refused: ')}")
    for bad in wanted.bad:
        face.print(f"Not read: {bad.place}: {bad.why}")
    return code

"""`budget prices rerate`: what past usage costs at other prices, and booking the difference."""

from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import Ask, open_budget, open_here
from budget.cli.dates import span, span_text
from budget.cli.face import Face
from budget.cli.tables import Column, Row, counted, show
from budget.cli.typed import parse_pairs
from budget.domain.shapes_rating import ReratingShape

_MODELS: Final = (
    Column("Model", folds=True),
    Column("Records", "amount"),
    Column("Changed", "amount"),
    Column("Unpriced", "amount", optional=True),
    Column("Booked USD", "amount", rank=1),
    Column("Priced USD", "amount", rank=2),
    Column("Difference", "amount"),
)
_BASES: Final = (
    Column("From basis", folds=True),
    Column("To basis", folds=True),
    Column("Changed", "amount"),
    Column("Difference", "amount"),
)
_LARGEST: Final = (
    Column("Largest", folds=True),
    Column("At", rank=2),
    Column("Model", folds=True, rank=1),
    Column("Booked USD", "amount"),
    Column("Priced USD", "amount"),
)
_MOST_SHOWN: Final = 10


def rerate(
    *,
    since: Annotated[str, Parameter(name=("--from", "--since"))],
    until: Annotated[str | None, Parameter(name=("--to", "--until"))] = None,
    model: str | None = None,
    provider: str | None = None,
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    basis: str | None = None,
    book: Path | None = None,
    apply: bool = False,
    reason: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say what past usage costs at the prices in force now; with --apply, book the difference.

    Each call is priced at its own time. What was booked stays: a reversal and a replacement come
    beside it. Running it again changes nothing more.

    Parameters
    ----------
    since:
        From when on: a day (midnight UTC), a time such as 2026-11-25T12:00:00Z, or 7d: so long ago.
    until:
        Until when, itself left out; now unless given.
    model:
        Only usage of this model.
    provider:
        Only usage of models of this provider.
    attribute:
        Only usage with this attribute, such as team=search or team=web*; may be given several
        times.
    basis:
        Price with this snapshot of a source, instead of what that source says now.
    book:
        Price with this file of own prices, instead of the one that is configured; read by this
        command, so the target must be a database.
    apply:
        Book the differences.
    reason:
        Why, kept with each record; needed with --apply.
    """
    named = {"model": model, "provider": provider, "basis": basis, "reason": reason}
    ask: Ask = {name: text for name, text in named.items() if text is not None}
    ask |= span(since, until)
    if attribute:
        ask["scope"] = parse_pairs(attribute, "--attribute")
    if apply:
        ask["apply"] = True
    told = _run(face, ask, book)
    if face.json:
        face.print_json(told)
    else:
        _show(face, told)
        if basis is not None:
            _note_own(face, told)
    return exits.FAILED if told["failed"] else exits.OK


def _run(face: Face, ask: Ask, book: Path | None) -> ReratingShape:
    from budget.domain.wire import rerating

    opened = open_budget(face, priced=True) if book is None else open_here(face, book)
    with opened as books, face.counting("Re-rating") as tell:
        return rerating(books.rerate(**ask, progress=tell))


def _show(face: Face, told: ReratingShape) -> None:
    face.print(
        f"Usage of {span_text(told['since'], told['until'])} at the prices of {told['basis']}: "
        f"{counted(told['examined'], 'record')}, {told['changed']:,} changed, "
        f"{told['unchanged']:,} unchanged, {told['unpriced']:,} without a price."
    )
    if not told["examined"]:
        face.note("No usage of that was found: look at the names and the dates.")
    changed = [model for model in told["models"] if model["changed"]]
    if changed:
        show(face, _MODELS, [_model_row(model) for model in changed])
        moved = [basis for basis in told["bases"] if basis["changed"]]
        show(face, _BASES, [_basis_row(basis) for basis in moved])
        largest = told["largest"][:_MOST_SHOWN]
        show(face, _LARGEST, [_record_row(record) for record in largest])
    face.print(
        f"Booked {told['old_cost']} USD, priced {told['new_cost']} USD: "
        f"a difference of {told['difference']} USD."
    )
    if not told["applied"]:
        if changed:
            face.note("Nothing was booked; --apply --reason WHY books the difference.")
        return
    face.print(f"{counted(told['booked'], 'record')} re-rated.")
    if told["corrected_meanwhile"]:
        face.print(f"{counted(told['corrected_meanwhile'], 'record')} corrected meanwhile.")
    for failure in told["failures"]:
        face.print(f"{failure['usage_id']}: {failure['detail']}")
    if told["failed"]:
        face.print(f"{counted(told['failed'], 'record')} could not be re-rated.")


def _note_own(face: Face, told: ReratingShape) -> None:
    """Say where what the operator says won over the snapshot that was named."""
    own = sum(
        one["records"]
        for one in told["bases"]
        if (one["new_basis"] or "").startswith(("override/", "own/"))
    )
    if own:
        face.note(
            f"{counted(own, 'record')} priced by what was set or by the own file, which win over "
            "every source."
        )


def _model_row(model: Any) -> Row:
    name = "(no model)" if model["model"] is None else model["model"]
    return Row(
        (
            name,
            str(model["records"]),
            str(model["changed"]),
            str(model["unpriced"]),
            model["old_cost"],
            model["new_cost"],
            model["difference"],
        )
    )


def _basis_row(basis: Any) -> Row:
    return Row(
        (
            basis["old_basis"] or "(none)",
            basis["new_basis"] or "(none)",
            str(basis["changed"]),
            basis["difference"],
        )
    )


def _record_row(record: Any) -> Row:
    return Row(
        (
            record["usage_id"],
            record["occurred_at"][:16].replace("T", " "),
            record["model"] or "(no model)",
            "(none)" if record["old_cost"] is None else record["old_cost"],
            record["new_cost"],
        )
    )

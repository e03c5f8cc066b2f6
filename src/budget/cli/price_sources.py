"""`budget prices update`, `sources`, `updates`, `accept`, `reject`: where prices come from.

Not here: the prices themselves (`prices`), prices of one's own (`price_setting`).
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import Ask, open_budget, open_here, read_budget
from budget.cli.face import Face
from budget.cli.lists import PAGE, gather
from budget.cli.price_words import UPDATES, full_name, update_row, when
from budget.cli.tables import Column, Row, counted, show
from budget.domain import wire
from budget.domain.errors import BudgetError, InvalidInput
from budget.domain.shapes_prices import (
    PriceReportShape,
    PriceSourceShape,
    PriceUpdateShape,
    SourceUpdateShape,
)

if TYPE_CHECKING:
    from budget.domain.facade import Facade

DEFAULT_ROWS: Final = 50
SOURCES_VARIABLE: Final = "BUDGET_PRICE_SOURCES"
_MOST_SHOWN: Final = 20

_REPORT: Final = (
    Column("Source"),
    Column("Result"),
    Column("Models", "amount"),
    Column("Changed", "amount"),
    Column("New", "amount"),
    Column("Gone", "amount"),
    Column("Held", "amount"),
    Column("Skipped", "amount", rank=1),
)
_SOURCES: Final = (
    Column("Source"),
    Column("Trust", "amount", rank=3),
    Column("Read from", folds=True, rank=1),
    Column("Models", "amount"),
    Column("Version", rank=4),
    Column("Last read", rank=2),
    Column("Held", "amount", optional=True),
    Column("State"),
)


def update(
    *names: str,
    all: bool = False,
    file: Path | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Read sources of prices anew; show what changed, and what is held in quarantine.

    A price that changed wildly stays as it was until somebody accepts the new one. Ends with 1 if
    a source could not be read.

    Parameters
    ----------
    names:
        Sources, such as litellm; all that are configured unless some are named.
    all:
        All that are configured, which is the same as naming none.
    file:
        Read the one source named from this file instead; the target must be a database.
    """
    if all and names:
        raise InvalidInput("--all", "is said beside names of sources; leave out one or the other.")
    if file is not None and len(names) != 1:
        raise InvalidInput("--file", "needs the name of the one source that it is of.")
    opened = open_budget(face, create=True, priced=True) if file is None else open_here(face)
    with opened as books:
        told = _read(face, books, names, file)
        failed = any(result["status"] == "failed" for result in told["results"])
        if face.json:
            face.print_json(told)
        else:
            _show_report(face, books, told)
    return exits.FAILED if failed else exits.OK


def _read(
    face: Face, books: "Facade", names: tuple[str, ...], file: Path | None
) -> PriceReportShape:
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("Reading prices"), BarColumn(), TimeElapsedColumn())
    with face.progress(*columns) as progress:
        progress.add_task("", total=None)
        try:
            return wire.price_report(books.update_prices(sources=names or None, file=file))
        except BudgetError as error:
            url = getattr(books, "url", None)
            if url is not None and SOURCES_VARIABLE in error.detail:
                error.detail += f" It is read by the service at {url}, when that starts."
            raise


def _show_report(face: Face, books: "Facade", told: PriceReportShape) -> None:
    show(face, _REPORT, [_report_row(result) for result in told["results"]])
    for result in told["results"]:
        if result["error"]:
            face.print(f"{result['source']}: {result['error']} Its prices stay as they were.")
        elif result["status"] == "quarantined":
            face.print(
                f"{result['source']}: half of its models or more are gone, so nothing of it was "
                f"applied. If that is right: `budget prices accept {result['basis']} "
                "--reason WHY`."
            )
        elif result["status"] == "applied" and result["basis"]:
            _show_changes(face, books, result)
        elif result["status"] == "unchanged":
            asked = {"source": result["source"], "status": "quarantined"}
            _tell_waiting(face, list(_updates(books, asked)))


def _show_changes(face: Face, books: "Facade", result: SourceUpdateShape) -> None:
    if result["changed"] + result["added"] + result["dropped"] + result["quarantined"] == 0:
        return
    newest = _updates(books, {"source": result["source"]})
    changes = list(takewhile(lambda one: one["new_basis"] == result["basis"], newest))
    changed = [one for one in changes if one["old_price"] is not None]
    waiting = [one for one in changed if one["status"] == "quarantined"]
    rows = [*waiting, *(one for one in changed if one not in waiting)]
    if rows:
        show(face, UPDATES, [update_row(one) for one in rows[:_MOST_SHOWN]])
        if len(rows) > _MOST_SHOWN:
            face.note(
                f"and {len(rows) - _MOST_SHOWN:,} more; `budget prices updates --source "
                f"{result['source']}` lists them."
            )
    _tell_waiting(face, waiting)


def _updates(books: "Facade", asked: Ask) -> Iterator[PriceUpdateShape]:
    """Changes of prices, newest first, read as far as they are wanted."""
    cursor: str | None = None
    while True:
        page = books.price_updates(**asked, limit=PAGE, cursor=cursor)
        yield from map(wire.price_update, page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


def _tell_waiting(face: Face, waiting: list[PriceUpdateShape]) -> None:
    """How to accept what waits: by model, for all that waits of one is decided at once."""
    models = {full_name(one): one for one in waiting}
    if not models:
        return
    face.print(
        f"{counted(len(models), 'price')} held in quarantine: the change is wild, so the former "
        "price stays in force. To let the new one come into force:"
    )
    for name, one in islice(models.items(), 10):
        face.print(f"  budget prices accept {one['update_id']} --reason WHY   # {name}")
    if len(models) > 1:
        face.print(f"  budget prices accept {waiting[0]['new_basis']} --reason WHY   # all of them")
    face.print("`budget prices reject` says no instead.")


def _report_row(result: SourceUpdateShape) -> Row:
    mood = {"failed": "over", "quarantined": "over"}.get(result["status"], "")
    numbers: tuple[int, ...] = (
        result["models"], result["changed"], result["added"], result["dropped"],
        result["quarantined"], result["skipped"],
    )  # fmt: skip
    nothing = result["status"] in ("unchanged", "failed")
    cells = ("" if nothing else str(number) for number in numbers)
    return Row((result["source"], result["status"], *cells), mood)


def sources(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show every source of prices, the most trusted first, and how its last reading went."""
    with read_budget(face) as books:
        told = [wire.price_source(one) for one in books.price_sources()]
    if face.json:
        face.print_json(told)
        return exits.OK
    show(face, _SOURCES, [_source_row(one) for one in told])
    for one in told:
        if one["error"]:
            face.print(f"{one['source']}: {one['error']}")
        if one["held"]:
            face.print(
                f"{one['source']}: a whole feed is held: `budget prices accept {one['held']} "
                "--reason WHY`, or reject."
            )
    if all(one["place"] in (None, "installed") for one in told):
        face.note(
            "Nothing is read from elsewhere. BUDGET_PRICE_SOURCES=litellm,models.dev has the "
            "service read these."
        )
    return exits.OK


def _source_row(one: PriceSourceShape) -> Row:
    waiting = one["waiting"] + (1 if one["held"] else 0)
    state = "failed" if one["error"] else "held" if waiting else "in use" if one["basis"] else "-"
    return Row(
        (
            one["source"],
            str(one["trust"]),
            one["place"] or "not configured",
            str(one["models"]),
            one["version"] or "",
            when(one["checked_at"] or one["applied_at"]),
            str(waiting),
            state,
        ),
        "over" if one["error"] else "warn" if waiting else "",
    )


def updates(
    *,
    status: str | None = None,
    source: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    limit: int | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show changes of prices, newest first, with what was and what is.

    Parameters
    ----------
    status:
        Only those that are applied, quarantined, accepted, rejected, or withdrawn.
    source:
        Only of this source; override is what was set by hand.
    provider:
        Only of this provider's models.
    model:
        Only of this model.
    limit:
        How many at most; a table has 50 unless given, JSON has all.
    """
    if limit is not None and limit < 1:
        raise InvalidInput("--limit", "must be 1 or more.")
    given = (("status", status), ("source", source), ("provider", provider), ("model", model))
    asked: Ask = {name: text for name, text in given if text is not None}
    most = limit or (None if face.json else DEFAULT_ROWS)
    with read_budget(face) as books:
        found = gather(lambda limit, at: books.price_updates(**asked, limit=limit, cursor=at), most)
    shown = [wire.price_update(one) for one in found.items]
    if face.json:
        face.print_json(shown)
    elif not shown:
        face.note("No price has changed." if not asked else "No change of a price fits.")
    else:
        show(face, UPDATES, [update_row(one) for one in shown])
        if found.next_cursor is not None:
            face.note(f"The newest {len(shown):,}; --limit shows more.")
    return exits.OK


def accept(
    what: str,
    /,
    *,
    reason: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Let a price that is held in quarantine come into force.

    Parameters
    ----------
    what:
        The id of an update, for all that waits of its model; or the basis of a snapshot, for all
        that waits of that.
    reason:
        Why; kept with the decision. Required.
    """
    return _decide(face, True, what, reason)


def reject(
    what: str,
    /,
    *,
    reason: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say no to a price that is held in quarantine: the former one stays in force.

    Parameters
    ----------
    what:
        The id of an update, or the basis of a snapshot.
    reason:
        Why; kept with the decision. Required.
    """
    return _decide(face, False, what, reason)


def _decide(face: Face, is_accepted: bool, what: str, reason: str | None) -> int:
    asked: Ask = {"reason": reason}
    with open_budget(face, priced=True) as books:
        decide = books.accept_price if is_accepted else books.reject_price
        told = wire.price_decision(decide(what, **asked))
    if face.json:
        face.print_json(told)
        return exits.OK
    if told["basis"]:
        after = "it is in force" if is_accepted else "what was in force stays"
        face.print(f"The snapshot {told['basis']} was {told['status']}: {after}.")
        return exits.OK
    models = Counter(full_name(one) for one in told["updates"])
    after = "the new price is in force" if is_accepted else "the former price stays"
    for name in models:
        face.print(f"{name}: {told['status']}, {after}.")
    show(face, UPDATES, [update_row(one) for one in told["updates"][:_MOST_SHOWN]])
    return exits.OK

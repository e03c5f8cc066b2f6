"""`budget prices coverage`: how much of what was called has a price, and how sure that is."""

from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.dates import span, span_text
from budget.cli.face import Face
from budget.cli.tables import Column, Row, counted, show
from budget.domain.shapes_rating import CoverageShape, SeenShape
from budget.domain.wire import coverage as shape

_SHARES: Final = (
    Column("Status"),
    Column("Models", "amount"),
    Column("Calls", "amount"),
    Column("Calls %", "amount"),
    Column("Tokens", "amount", rank=2),
    Column("Tokens %", "amount", rank=1),
    Column("Cost USD", "amount"),
    Column("Cost %", "amount", rank=3),
)
_MODELS: Final = (
    Column("Model", folds=True),
    Column("Provider", optional=True, rank=1),
    Column("Status"),
    Column("Calls", "amount"),
    Column("Tokens", "amount", rank=3),
    Column("Cost USD", "amount", rank=4),
    Column("Without cost", "amount", optional=True),
    Column("Last seen", rank=2),
)
_MOST_SHOWN: Final = 30


def coverage(
    *,
    since: Annotated[str | None, Parameter(name=("--from", "--since"))] = None,
    until: Annotated[str | None, Parameter(name=("--to", "--until"))] = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say how much of what was called has a price, and list the models whose price is not sure.

    Parameters
    ----------
    since:
        From when on: a day (midnight UTC), a time such as 2026-11-25T12:00:00Z, or 7d: so
        long ago; 30 days before the end unless given. Counted to the hour.
    until:
        Until when; now unless given.
    """
    with open_budget(face, priced=True) as books:
        told = shape(books.coverage(**span(since, until)))
    if face.json:
        face.print_json(told)
    else:
        _show(face, told)
    return exits.OK


def _show(face: Face, told: CoverageShape) -> None:
    total = told["total"]
    when = span_text(told["since"], told["until"])
    if not total["calls"] and not total["models"]:
        face.print(f"No calls were booked in {when}.")
        return
    face.print(f"Calls of {when}, at the prices of {told['basis']}:")
    parts: list[tuple[str, SeenShape]] = [
        ("verified", told["verified"]),
        ("own", told["own"]),
        ("unverified", told["unverified"]),
        ("conflict", told["conflict"]),
        ("unpriced", told["unpriced"]),
    ]
    shown = [_share_row(name, part) for name, part in parts if part["models"]]
    show(face, _SHARES, [*shown, _share_row("all", total)])
    models = told["uncovered"]
    if models:
        show(face, _MODELS, [_model_row(model) for model in models[:_MOST_SHOWN]])
    if len(models) > _MOST_SHOWN:
        face.note(f"and {len(models) - _MOST_SHOWN:,} more models; --json lists them.")
    if told["without_cost"]:
        face.print(
            f"{counted(told['without_cost'], 'record')} booked without a cost: once the price is "
            "known, `budget prices rerate` books it."
        )


def _share_row(name: str, part: SeenShape) -> Row:
    return Row(
        (
            name,
            str(part["models"]),
            str(part["calls"]),
            _percent(part["calls_share"]),
            str(part["tokens"]),
            _percent(part["tokens_share"]),
            part["cost"],
            _percent(part["cost_share"]),
        ),
        "over" if name == "unpriced" else "warn" if name == "conflict" else "",
    )


def _percent(share: str) -> str:
    """A share of at most four decimals as a percentage: 0.3333 is 33.33."""
    whole, _, places = share.partition(".")
    hundredths = int(whole) * 10_000 + int(f"{places:0<4}")
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _model_row(model: Any) -> Row:
    return Row(
        (
            model["model"] or "(no model)",
            model["provider"] or "",
            model["status"],
            str(model["calls"]),
            str(model["tokens"]),
            model["cost"],
            str(model["without_cost"]),
            model["last_seen"][:16].replace("T", " "),
        ),
        "over" if model["status"] == "unpriced" else "",
    )

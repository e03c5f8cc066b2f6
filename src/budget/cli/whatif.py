"""`budget whatif`: what past usage would have cost on other models. Nothing is booked."""

from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import Ask, open_budget
from budget.cli.dates import span, span_text
from budget.cli.face import Face
from budget.cli.tables import Column, Row, counted, show
from budget.cli.typed import parse_pairs
from budget.domain.errors import InvalidInput
from budget.domain.shapes_rating import WhatIfShape

_EXCHANGES: Final = (
    Column("Model", folds=True),
    Column("Instead", folds=True),
    Column("Records", "amount", rank=1),
    Column("Cost USD", "amount"),
    Column("Would be", "amount"),
    Column("Difference", "amount"),
    Column("%", "amount"),
)
_DAYS: Final = (
    Column("Day"),
    Column("Records", "amount", rank=1),
    Column("Cost USD", "amount"),
    Column("Would be", "amount"),
    Column("Difference", "amount"),
)


def what_if(
    *,
    model: Annotated[tuple[str, ...], Parameter(metavar="A=B")],
    since: Annotated[str | None, Parameter(name=("--from", "--since"))] = None,
    until: Annotated[str | None, Parameter(name=("--to", "--until"))] = None,
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    at: Literal["then", "now"] = "then",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say what past usage would have cost with models exchanged; nothing is booked.

    Parameters
    ----------
    model:
        A=B prices the usage of model A as if it were of model B, such as
        gpt-4o=openai/gpt-4o-mini; may be given several times.
    since:
        From when on: a day (midnight UTC), a time such as 2026-11-25T12:00:00Z, or 7d: so
        long ago; 30 days before the end unless given.
    until:
        Until when, itself left out; now unless given.
    attribute:
        Only usage with this attribute, such as team=search; may be given several times.
    at:
        Whose prices: then, those of each call's time, or now, today's for all.
    """
    ask: Ask = {"models": _parse_models(model), **span(since, until)}
    if attribute:
        ask["scope"] = parse_pairs(attribute, "--attribute")
    if at == "now":
        ask["at_now"] = True
    told = _run(face, ask)
    if face.json:
        face.print_json(told)
    else:
        _show(face, told)
    return exits.OK


def _parse_models(pairs: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        model, equals, instead = (part.strip() for part in pair.partition("="))
        if not equals or not model or not instead:
            raise InvalidInput(
                "--model", f"{pair[:80]!r} is not A=B, such as gpt-4o=openai/gpt-4o-mini."
            )
        if found.setdefault(model, instead) != instead:
            raise InvalidInput("--model", f"{model} is exchanged for two models; choose one.")
    return found


def _run(face: Face, ask: Ask) -> WhatIfShape:
    from budget.domain.wire import what_if as shape

    with open_budget(face, priced=True) as books, face.counting("Pricing") as tell:
        return shape(books.what_if(**ask, progress=tell))


def _show(face: Face, told: WhatIfShape) -> None:
    whose = "today's prices" if told["at_now"] else "the prices of its time"
    face.print(
        f"Usage of {span_text(told['since'], told['until'])}, at {whose}: "
        f"{counted(told['records'], 'record')} exchanged, {told['others']:,} others."
    )
    if told["records"]:
        show(face, _EXCHANGES, [_exchange_row(one) for one in told["exchanges"]])
    if len(told["days"]) > 1:
        show(face, _DAYS, [_day_row(day) for day in told["days"]])
    change = "" if told["percent"] is None else f" ({told['percent']}%)"
    face.print(
        f"Cost {told['old_cost']} USD, would be {told['new_cost']} USD: "
        f"a difference of {told['difference']} USD{change}. Nothing was booked."
    )
    for note in told["notes"]:
        face.print(note)


def _exchange_row(one: Any) -> Row:
    return Row(
        (
            one["model"],
            one["instead"],
            str(one["records"]),
            one["old_cost"],
            one["new_cost"],
            one["difference"],
            "-" if one["percent"] is None else one["percent"],
        )
    )


def _day_row(day: Any) -> Row:
    return Row(
        (day["day"], str(day["records"]), day["old_cost"], day["new_cost"], day["difference"])
    )

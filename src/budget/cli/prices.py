"""`budget prices list`, `show`, `history`, `compare`: what models cost, did cost, and who says so.

Not here: reading sources anew (`price_sources`), prices of one's own (`price_setting`).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import Ask, read_budget
from budget.cli.dates import instant
from budget.cli.face import Face
from budget.cli.lists import gather
from budget.cli.price_words import (
    full_name,
    holds,
    named,
    pairs,
    rate_rows,
    token_cells,
    usual_instead,
    when,
)
from budget.cli.tables import Column, Row, show
from budget.domain import wire
from budget.domain.errors import InvalidInput
from budget.domain.shapes_prices import (
    CapabilitiesShape,
    PriceComparisonShape,
    PriceShape,
    PriceUpdateShape,
    SourceFigureShape,
)

if TYPE_CHECKING:
    from budget.domain.facade import Facade

DEFAULT_ROWS: Final = 100
_MOST_WAITING: Final = 5

_LIST: Final = (
    Column("Model", folds=True),
    Column("Input", "amount"),
    Column("Output", "amount"),
    Column("Status", folds=True),
    Column("Source", rank=2),
)
_RATES: Final = (
    Column("What"),
    Column("From tokens", "amount", optional=True),
    Column("USD", "amount"),
    Column("for a"),
)
_FIGURES: Final = (
    Column("Source"),
    Column("Model", folds=True, rank=1),
    Column("Input", "amount"),
    Column("%", "amount"),
    Column("Output", "amount"),
    Column("%", "amount"),
    Column("Agrees"),
)
_PERIODS: Final = (
    Column("From"),
    Column("Until"),
    Column("Daily", optional=True),
    Column("Context", optional=True),
    Column("Input", "amount"),
    Column("Output", "amount"),
    Column("Source", rank=2),
    Column("Why", folds=True, rank=1, optional=True),
)
SET_BY_HAND: Final = "override"
_MOODS: Final = {"conflict": "over"}
STATUS_WORDS: Final = {
    "verified": "other sources agree within 10%",
    "unverified": "one source alone knows it",
    "conflict": "another source says something else",
    "own": "an operator says so",
}


def list_prices(
    *,
    provider: str | None = None,
    model: str | None = None,
    search: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    format: Literal["table", "json"] = "table",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """List what models cost now, in USD per million tokens.

    A + behind a price says that it changes with the size of the call.

    Parameters
    ----------
    provider:
        Only models of this provider.
    model:
        Only the model of this whole name.
    search:
        Only models with this in their name or their provider's.
    status:
        Only prices that are verified, unverified, in conflict, or own.
    limit:
        How many at most; a table has 100 unless given, JSON has all.
    format:
        table, or json, which is the same as --json.
    """
    if limit is not None and limit < 1:
        raise InvalidInput("--limit", "must be 1 or more.")
    given = (("provider", provider), ("model", model), ("search", search), ("status", status))
    asked: Ask = {name: text for name, text in given if text is not None}
    as_json = face.json or format == "json"
    most = limit or (None if as_json else DEFAULT_ROWS)
    with read_budget(face) as books:
        found = gather(lambda limit, at: books.prices(**asked, limit=limit, cursor=at), most)
    shown = [wire.price(told) for told in found.items]
    if as_json:
        face.print_json(shown)
    elif not shown:
        face.note("No price fits. `budget prices list --search WORD` finds parts of names.")
    else:
        show(face, _LIST, [_list_row(told) for told in shown])
        if found.next_cursor is not None:
            face.note(
                f"The first {len(shown):,}; --search or --provider finds others, "
                "--limit shows more."
            )
    return exits.OK


def _list_row(told: PriceShape) -> Row:
    status = told["status"]
    return Row(
        (
            full_name(told),
            *token_cells(told["prices"]),
            f"{status}, {', '.join(told['flags'])}" if told["flags"] else status,
            told["source"],
        ),
        "warn" if told["flags"] else _MOODS.get(status, ""),
    )


def show_price(
    *names: str,
    provider: str | None = None,
    at: str | None = None,
    context: tuple[str, ...] = (),
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show the price of a model, how its name was read, and what each source says.

    Parameters
    ----------
    names:
        A model, such as gpt-4o or openai/gpt-4o, or a provider and a model.
    provider:
        Who sells it; without it the model's name decides.
    at:
        When: a day, or a time such as 2026-11-25T12:00:00Z; now unless given.
    context:
        What else decides the price, such as processing=batch.
    """
    ask: Ask = {**named(names, provider)}
    if at is not None:
        ask["at"] = instant(at)
    if context:
        ask["price_context"] = pairs(context, "--context", "processing=batch")
    with read_budget(face) as books:
        told = wire.price(books.current_price(**ask))
        waiting = _waiting(books, told) if "quarantined" in told["flags"] else []
    if face.json:
        face.print_json(told)
        return exits.OK
    _show_price(face, told)
    usual = usual_instead(ask.get("price_context", {}), told["price_context"])
    if usual is not None:
        face.note(usual)
    if waiting:
        changes = ", ".join(
            f"{one['kind'].replace('_', ' ')} {one['new_price']} instead of {one['old_price']}"
            for one in waiting
        )
        face.print(
            f"Held in quarantine: {changes}. `budget prices accept {waiting[0]['update_id']} "
            "--reason WHY` lets it come into force; reject says no."
        )
    return exits.OK


def _waiting(books: "Facade", told: PriceShape) -> list[PriceUpdateShape]:
    asked: Ask = {"provider": told["provider"], "model": told["model"]}
    held = books.price_updates(status="quarantined", limit=_MOST_WAITING, **asked)
    return [wire.price_update(one) for one in held.items]


def _show_price(face: Face, told: PriceShape) -> None:
    face.print(full_name(told))
    lines = [
        ("Status", f"{told['status']}: {STATUS_WORDS[told['status']]}"),
        ("Holds", holds(told["starts_at"], told["ends_at"])),
        ("Basis", told["basis"]),
    ]
    if told["resolved"]:
        lines.insert(0, ("Read as", "; ".join(told["resolved"])))
    if "dropped" in told["flags"]:
        lines.append(("Dropped", "its source lists it no more; this is its last price"))
    can = [] if told["capabilities"] is None else list(_abilities(told["capabilities"]))
    if can:
        lines.append(("Model", ", ".join(can)))
    for title, text in lines:
        face.print(f"{title:<8}  {text}")
    face.print()
    show(face, _RATES, [Row(row) for row in rate_rows(told["prices"])])
    if len(told["sources"]) > 1:
        face.print()
        show(face, _FIGURES, [_figure_row(figure) for figure in told["sources"]])


def _abilities(told: CapabilitiesShape) -> Iterator[str]:
    """What a model can do, in words; of what nobody knows nothing."""
    if told["context_window"] is not None:
        yield f"{told['context_window']:,} tokens in all"
    if told["max_output_tokens"] is not None:
        yield f"{told['max_output_tokens']:,} of output"
    if told["mode"] not in (None, "chat"):
        yield f"for {told['mode']}"
    for name in ("tools", "vision", "audio", "json", "reasoning", "batch", "open_weights"):
        if told[name]:
            yield name.replace("_", " ")
    if told["deprecated"]:
        yield "deprecated"
    if told["retired_at"] is not None:
        yield f"retires {when(told['retired_at'])}"


def _figure_row(told: SourceFigureShape) -> Row:
    cells = token_cells(told["prices"])
    return Row(
        (
            told["source"],
            f"{told['provider']}/{told['model']}" if told["provider"] else told["model"],
            cells[0],
            told["input_percent"] or "",
            cells[1],
            told["output_percent"] or "",
            {None: "in force", True: "yes", False: "no"}[told["agrees"]],
        ),
        "over" if told["agrees"] is False else "",
    )


def history(
    *names: str,
    provider: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show every price that a model had, has and will have, newest first.

    Of prices that overlap the upper one holds.

    Parameters
    ----------
    names:
        A model, or a provider and a model.
    provider:
        Who sells it; without it the model's name decides.
    """
    asked: Ask = {**named(names, provider)}
    with read_budget(face) as books:
        if "provider" not in asked:
            found = wire.price(books.current_price(**asked))
            asked = {"provider": found["provider"] or "-", "model": found["model"]}
        told = books.price_history(asked["provider"], asked["model"])
    periods = [wire.price_period(period) for period in told]
    if face.json:
        face.print_json(periods)
        return exits.OK
    face.print(f"{asked['provider']} {asked['model']}, USD per million tokens")
    show(face, _PERIODS, [_period_row(period) for period in periods])
    for period in periods:
        if period["kind"] == SET_BY_HAND:
            text = f"since {when(period['starts_at'])}" if period["starts_at"] else "ever"
            face.print(f"The price set {text} is {period['id']}.")
    own = [one for one in periods if one["kind"] in (SET_BY_HAND, "own")]
    if any(one["price_context"] is None for one in own) and len(own) < len(periods):
        face.note("While a price of yours holds, it holds in every context it says nothing of.")
    return exits.OK


def _period_row(told: Mapping[str, Any]) -> Row:
    cells = ("none", "none") if told["prices"] is None else token_cells(told["prices"])
    return Row(
        (
            when(told["starts_at"]) or "ever",
            when(told["ends_at"]) or "further on",
            "" if told["daily"] is None else "-".join(told["daily"]),
            told["price_context"] or "",
            *cells,
            told["source"],
            "; ".join(filter(None, ("replaced" if told["replaced"] else "", told["reason"]))),
        )
    )


def compare(
    *names: str,
    provider: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Compare what each source says of a model with the price in force.

    Parameters
    ----------
    names:
        A model, or a provider and a model.
    provider:
        Who sells it; without it the model's name decides.
    """
    asked: Ask = {**named(names, provider)}
    with read_budget(face) as books:
        told = wire.price_comparison(books.compare_prices(**asked))
    if face.json:
        face.print_json(told)
    else:
        _show_comparison(face, told)
    return exits.OK


def _show_comparison(face: Face, told: PriceComparisonShape) -> None:
    ours = told["in_force"]
    name = f"{told['provider']} {told['model']}"
    if ours is None:
        face.print(f"{name}: no price is in force.")
    else:
        cells = token_cells(ours["prices"])
        face.print(
            f"{name}: {cells[0]} in, {cells[1]} out in force, by {ours['source']}; "
            f"{ours['status']}: {STATUS_WORDS[ours['status']]}."
        )
    show(face, _FIGURES, [_figure_row(figure) for figure in told["sources"]])

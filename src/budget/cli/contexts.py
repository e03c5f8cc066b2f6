"""`budget contexts`: what sessions use of what they hold, when they are used up, what would help.

Not here: how that is worked out (`engine.contexts`).
"""

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli.books import open_budget
from budget.cli.dates import past
from budget.cli.face import Face
from budget.cli.lists import gather, moment, note_rest, print_page
from budget.cli.tables import Column, Row, counted, show
from budget.cli.typed import typed_as
from budget.domain.answers_contexts import Context, ContextUse, Exhaustion, LearntSize
from budget.domain.money import format_usd
from budget.domain.wire import contexts as wire
from budget.domain.wire.parts import amount_text

if TYPE_CHECKING:
    from budget.domain.facade import Facade

_COLUMNS: Final = (
    Column("Context", folds=True), Column("Component", optional=True, rank=2),
    Column("Tier", optional=True, rank=4), Column("Tokens", "amount"),
    Column("Cost", "amount", rank=1), Column("Allocated", "amount", rank=3),
    Column("Used", rank=3), Column("Window", optional=True, rank=2),
    Column("Calls left", "amount", optional=True), Column("Hints", optional=True, rank=5),
)  # fmt: skip
_BY: Final = (
    Column("Component"), Column("Tier", rank=2), Column("Task type", rank=1),
    Column("Model", folds=True), Column("Requests", "amount", rank=3),
    Column("Input tokens", "amount"), Column("Output tokens", "amount"),
    Column("Cost", "amount", rank=1),
)  # fmt: skip
_SIZES: Final = (
    Column("Component"), Column("Task type"), Column("Family", folds=True),
    Column("Calls", "amount", rank=1), Column("Size", "amount"), Column("Table", "amount"),
    Column("Applied", rank=2), Column("Why", folds=True, rank=3),
)  # fmt: skip


def contexts(
    context: str | None = None,
    /,
    *,
    component: str | None = None,
    tier: str | None = None,
    task_type: str | None = None,
    since: str | None = None,
    limit: int | None = None,
    sizes: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show what contexts, which are sessions, use of their tokens, and when these are used up.

    Parameters
    ----------
    context:
        Show this one, with what it used by component, tier, type of task and model.
    component:
        Only those with calls of this component.
    tier:
        Only those with calls of this tier.
    task_type:
        Only those with calls of this type of task.
    since:
        Only those with calls since this date, or in the last 7d or 12h.
    limit:
        How many to show at most; all unless given.
    sizes:
        Show how many tokens to hold instead, as settled calls teach.
    """
    with open_budget(face) as books, typed_as(since="--since"):
        if sizes:
            return _show_sizes(face, books.sizes())
        if context is not None:
            return _show_one(face, books.context(context))
        return _list(face, books, {
            "component": component, "tier": tier, "task_type": task_type,
            "since": None if since is None else past(since),
        }, limit)  # fmt: skip


def _list(face: Face, books: "Facade", asked: dict[str, str | None], limit: int | None) -> int:
    page = gather(
        lambda most, at: books.contexts(
            component=asked["component"], tier=asked["tier"], task_type=asked["task_type"],
            since=asked["since"], limit=most, cursor=at,
        ),
        limit,
    )  # fmt: skip
    if face.json:
        print_page(face, page, wire.context)
    elif page.items:
        show(face, _COLUMNS, [_row(one) for one in page.items])
        note_rest(face, page)
    else:
        face.note("No context to show: a call is of one if it names a context_id.")
    return 0


def _row(one: Context) -> Row:
    soonest = one.soonest
    left = None if soonest is None else soonest.calls_left
    window = ""
    if one.window_tokens and one.fill_tokens is not None:
        window = _percent(one.fill_tokens * 10_000 // one.window_tokens)
    cells = (
        one.session, one.attributes.get("component", ""), one.attributes.get("tier", ""),
        f"{one.input_tokens + one.output_tokens:,}", format_usd(one.cost_nanos),
        f"{one.allocated_tokens + one.reserved_tokens:,}", _share(one.efficiency_bps), window,
        "" if left is None else f"{left:,}", ", ".join(hint.kind for hint in one.hints),
    )  # fmt: skip
    return Row(cells, "warn" if one.hints else "")


def _show_one(face: Face, one: Context) -> int:
    if face.json:
        face.print_json(wire.context_in_full(one))
        return 0
    tokens = one.input_tokens + one.output_tokens
    face.print(
        f"{one.session}: {counted(one.requests, 'request')}, {tokens:,} tokens, "
        f"{format_usd(one.cost_nanos)} USD, from {moment(face, one.first_us)} to "
        f"{moment(face, one.last_us)}."
    )
    if one.efficiency_bps is not None:
        face.print(
            f"{one.used_tokens:,} of {one.allocated_tokens:,} tokens that were held were used "
            f"({_share(one.efficiency_bps)})."
        )
    for what in one.exhaustions:
        face.print(_left(face, what))
    for hint in one.hints:
        saved = "" if hint.saved_nanos is None else f" That is {format_usd(hint.saved_nanos)} USD."
        face.print(f"Hint: {hint.text}{saved}")
    if one.by:
        show(face, _BY, [_by(use) for use in one.by])
    return 0


def _left(face: Face, what: Exhaustion) -> str:
    whose = "The model's window" if what.of == "window" else f"The limit of {what.budget}"
    if not what.left:
        return f"{whose} of {amount_text(what.limit, what.unit)} is used up."
    told = f"{whose}: {amount_text(what.left, what.unit)} of {amount_text(what.limit, what.unit)}"
    told += " left"
    if what.calls_left is not None:
        told += f", about {counted(what.calls_left, 'call')}"
    if what.at_us is not None:
        told += f", until {moment(face, what.at_us)}"
    return f"{told}."


def _by(use: ContextUse) -> Row:
    return Row((
        use.component or "(none)", use.tier or "(none)", use.task_type or "(none)",
        use.model or "(none)", f"{use.requests:,}", f"{use.input_tokens:,}",
        f"{use.output_tokens:,}", format_usd(use.cost_nanos),
    ))  # fmt: skip


def _show_sizes(face: Face, sizes: list[LearntSize]) -> int:
    if face.json:
        face.print_json(wire.sizes(sizes))
    elif sizes:
        show(face, _SIZES, [_size(one) for one in sizes])
    else:
        face.note("No call that was held by tokens has been settled in the last 30 days.")
    return 0


def _size(one: LearntSize) -> Row:
    return Row((
        one.component or "(none)", one.task_type, one.family or "(none)", f"{one.calls:,}",
        f"{one.tokens:,}", f"{one.table_tokens:,}", "yes" if one.applied else "no", one.why,
    ))  # fmt: skip


def _share(bps: int | None) -> str:
    return "" if bps is None else _percent(bps)


def _percent(bps: int) -> str:
    whole, hundredths = divmod(bps, 100)
    return f"{whole}.{hundredths:02d}%"

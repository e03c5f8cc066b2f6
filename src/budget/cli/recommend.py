"""`budget recommend`: which models would do for a call, the cheapest first.

From prices and what is known of models alone: how well one does its task nobody here knows.
"""

from typing import Annotated, Final, cast

from cyclopts import Parameter

from budget.cli.books import read_budget
from budget.cli.face import Face
from budget.cli.tables import Column, Row, counted, show
from budget.cli.typed import given, typed_as
from budget.domain.answers_recommendations import Recommendation, Recommendations
from budget.domain.asks_prices import RecommendAsk
from budget.domain.money import format_usd
from budget.domain.wire.recommendations import recommendations

_TYPED: Final = {
    "task_type": "--task-type", "context_size": "--context-size", "output_size": "--output-size",
    "prefer_provider": "--prefer-provider", "max_cost": "--max-cost", "model": "--model",
    "provider": "--provider",
}  # fmt: skip
_MODELS: Final = (
    Column("Model", folds=True),
    Column("Will do"),
    Column("Cost", "amount"),
    Column("Saves", "amount", optional=True),
    Column("Saves %", "amount", optional=True, rank=1),
    Column("In/MTok", "amount", rank=2),
    Column("Out/MTok", "amount", rank=3),
)


def recommend(
    *,
    task_type: str | None = None,
    context_size: int | None = None,
    output_size: int | None = None,
    prefer_provider: str | None = None,
    max_cost: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Name models that would do for a call, the cheapest first; cheaper ones than --model.

    Parameters
    ----------
    task_type:
        default, chat, coding, analysis or embedding: how long the answer is, unless --output-size
        says so.
    context_size:
        How many tokens go in; 4000 unless given.
    output_size:
        How many come out.
    prefer_provider:
        Models of this provider; those of the model's own unless given.
    max_cost:
        Only what costs at most so many USD a call.
    model:
        The model in use: what would be saved is told.
    provider:
        Who sells it.
    """
    asked = {
        "task_type": task_type, "context_size": context_size, "output_size": output_size,
        "prefer_provider": prefer_provider, "max_cost": max_cost, "model": model,
        "provider": provider,
    }  # fmt: skip
    with read_budget(face) as books, typed_as(**_TYPED):
        found = books.recommend(**cast(RecommendAsk, given(asked)))
    if face.json:
        face.print_json(recommendations(found))
    else:
        _show(face, found)
    return 0


def _show(face: Face, found: Recommendations) -> None:
    current, best = found.current, found.best
    size = f"{counted(found.input_tokens, 'token')} in, {found.output_tokens:,} out"
    now = (
        "" if current is None else f"; {_name(current)} costs {format_usd(current.cost_nanos)} USD"
    )
    face.print(f"A call of {size}{now}.")
    if best is not None:
        saves = best.savings_nanos
        less = "" if saves is None else f", {format_usd(saves)} USD less ({_percent(found, best)}%)"
        face.print(f"Best match: {_name(best)}, {format_usd(best.cost_nanos)} USD{less}.")
    elif not found.items:
        face.print(
            "No model that would do is " + ("cheaper." if current else "known at that cost.")
        )
    others = sorted(
        (one for one in found.items if one is not best), key=lambda one: not one.is_known
    )
    if others:
        face.print()
        face.print("Alternatives, in USD:")
        show(face, _MODELS, [_row(found, one) for one in others])
        if not all(one.is_known for one in others):
            face.note("Perhaps: not all that the call needs is known of it.")


def _row(found: Recommendations, one: Recommendation) -> Row:
    saves = one.savings_nanos
    return Row(
        (
            _name(one),
            "yes" if one.is_known else "perhaps",
            format_usd(one.cost_nanos),
            "" if saves is None else format_usd(saves),
            "" if saves is None else _percent(found, one),
            _rate(one.input_pico),
            _rate(one.output_pico),
        )
    )


def _name(one: Recommendation) -> str:
    return one.model if one.model.startswith(f"{one.provider}/") else f"{one.provider}/{one.model}"


def _percent(found: Recommendations, one: Recommendation) -> str:
    """The share that is saved, in percent, cut to one decimal."""
    whole = found.current.cost_nanos if found.current else 0
    tenths = (one.savings_nanos or 0) * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10}"


def _rate(pico: int) -> str:
    """USD for a million tokens."""
    return format_usd(pico * 1000)

"""`budget route`: which model a call should go to so that it stays within its budgets."""

from typing import Annotated, Final, cast

from cyclopts import Parameter

from budget.cli.books import open_budget
from budget.cli.exits import OK, REFUSED
from budget.cli.face import Face
from budget.cli.tables import Column, Row, show
from budget.cli.typed import given, typed_as
from budget.domain.answers_routing import Considered, Routing
from budget.domain.asks_routing import RouteAsk
from budget.domain.money import format_usd
from budget.domain.wire.routing import routing

_TYPED: Final = {
    "model": "--model", "provider": "--provider", "capability": "--capability",
    "component": "--component", "task_type": "--task-type", "input_tokens": "--input-tokens",
    "max_output_tokens": "--max-output-tokens",
}  # fmt: skip
_MODELS: Final = (
    Column("Model", folds=True),
    Column("Holds USD", "amount"),
    Column("Fits"),
    Column("Why not", folds=True, rank=1),
)


def route(
    model: str | None = None,
    *,
    input_tokens: int,
    provider: str | None = None,
    max_output_tokens: int | None = None,
    capability: str | None = None,
    component: str | None = None,
    task_type: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say which model a call should go to within its budgets. Nothing is held.

    Parameters
    ----------
    model:
        The model that is wanted.
    input_tokens:
        How many tokens go in.
    provider:
        Who sells it; without --model, whose models are looked at.
    max_output_tokens:
        How many come out at most; by --task-type unless given.
    capability:
        What the model must be able to do, such as vision or functions; chat unless given.
    component:
        Who asks.
    task_type:
        default, chat, coding, analysis or embedding.
    """
    asked = {
        "model": model, "provider": provider, "capability": capability, "component": component,
        "task_type": task_type, "input_tokens": input_tokens,
        "max_output_tokens": max_output_tokens,
    }  # fmt: skip
    with open_budget(face, priced=True) as books, typed_as(**_TYPED):
        told = books.route_model(**cast(RouteAsk, given(asked)))
    if face.json:
        face.print_json(routing(told))
    else:
        _show(face, told)
    return OK if told.allowed else REFUSED


def _show(face: Face, told: Routing) -> None:
    if told.model is None:
        face.print("No model may be called.")
    else:
        holds = "of unknown price" if told.hold_nanos is None else f"{_usd(told)} USD at most"
        face.print(f"Call {_name(told.provider, told.model)}: {holds}.")
    face.print(told.why)
    for warning in told.warnings:
        face.note(warning)
    if len(told.considered) > 1:
        face.print()
        show(face, _MODELS, [_row(one) for one in told.considered])


def _usd(told: Routing) -> str:
    return format_usd(told.hold_nanos or 0)


def _row(one: Considered) -> Row:
    holds = "" if one.hold_nanos is None else format_usd(one.hold_nanos)
    return Row((_name(one.provider, one.model), holds, "yes" if one.fits else "no", one.why))


def _name(provider: str | None, model: str) -> str:
    return model if provider is None else f"{provider}/{model}"

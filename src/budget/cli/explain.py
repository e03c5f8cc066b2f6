"""`budget explain`: why a call was admitted or refused, or would be: each limit in numbers; and
what an alert came from.

Not here: how that is told (`origins`).
"""

from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.balance_words import named
from budget.cli.books import open_budget
from budget.cli.event_lines import who
from budget.cli.face import Face
from budget.cli.lists import moment
from budget.cli.origins import PREFIX, show_origin
from budget.cli.tables import Column, Row, show
from budget.cli.typed import given, parse_amount, parse_pairs, typed_as
from budget.domain import wire
from budget.domain.answers import Check, Refusal
from budget.domain.answers_trials import Explanation, MetLimit, Step
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.wire.origins import origin
from budget.domain.wire.parts import amount
from budget.domain.wire.trials import explanation

LAST_REFUSAL: Final = "last-refusal"
_LIMITS: Final = (
    Column("Limit", folds=True),
    Column("Period"),
    Column("Unit", rank=3),
    Column("Limit then", "amount"),
    Column("Spent", "amount"),
    Column("Reserved", "amount"),
    Column("Assumed", "amount", optional=True, rank=1),
    Column("Asked", "amount"),
    Column("Room", "amount"),
    Column("Said"),
)


def explain(
    call: str | None = None,
    /,
    *,
    last_refusal: bool = False,
    model: str | None = None,
    provider: str | None = None,
    input_tokens: int | None = None,
    max_output_tokens: int | None = None,
    usd: str | None = None,
    tokens: int | None = None,
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say why a call was admitted or refused; or, of one described by options, would be; or what
    an alert came from.

    Parameters
    ----------
    call:
        The id of an allocation, of a usage record or of an alert, or the cursor of a refusal's
        event.
    last_refusal:
        Explain the last refusal.
    model:
        Of a call to this model: would it be admitted now?
    provider:
        Who sells the model.
    input_tokens:
        How many input tokens it has.
    max_output_tokens:
        How many output tokens it may have.
    usd:
        The money that it asks for, in place of tokens and a model.
    tokens:
        The tokens that it asks for.
    attribute:
        Whose call it is, such as team=search; may be said several times.
    """
    ask: dict[str, Any] = given(
        {
            "model": model, "provider": provider, "input_tokens": input_tokens,
            "max_output_tokens": max_output_tokens, "tokens": tokens,
            "usd": None if usd is None else parse_amount(usd, "usd", "--usd"),
            "attributes": parse_pairs(attribute, "--attribute") or None,
        }
    )  # fmt: skip
    if (call is not None) + last_refusal + bool(ask) != 1:
        raise InvalidInput(
            "CALL", "is needed: an id, or --last-refusal, or a call described by its --model."
        )
    if ask:
        return _explain_planned(face, ask)
    if call is not None and call.startswith(PREFIX):
        return _explain_alert(face, call)
    with open_budget(face) as books:
        told = books.explain(LAST_REFUSAL if call is None else call)
    if face.json:
        face.print_json(explanation(told))
    else:
        _show(face, told)
    return exits.OK


def _explain_alert(face: Face, alert_id: str) -> int:
    with open_budget(face) as books:
        came_from = books.explain_alert(alert_id)
    if face.json:
        face.print_json(origin(came_from))
    else:
        show_origin(face, came_from)
    return exits.OK


def _explain_planned(face: Face, ask: dict[str, Any]) -> int:
    """What would become of a call now."""
    options = {name: f"--{name.replace('_', '-')}" for name in ask if name != "attributes"}
    with open_budget(face, priced=True) as books, typed_as(attributes="--attribute", **options):
        told = books.check(**ask)
    if isinstance(told, Refusal):
        if face.json:
            face.print_json({"verdict": "refused", **wire.refusal(told)})
        else:
            face.print(f"Would be refused: {told.detail}")
            met = [MetLimit(one.balance, one.requested, True, one.shortfall) for one in told.lines]
            show(face, _LIMITS, [_row(one) for one in met])
        return exits.OK
    if face.json:
        face.print_json({"verdict": "admitted", **wire.check(told)})
    else:
        _show_planned(face, told)
    return exits.OK


def _show_planned(face: Face, told: Check) -> None:
    usd = told.reserved.usd
    held = "" if usd is None else f" It would hold {format_usd(usd)} USD"
    priced = f", at the prices of {told.basis}." if told.basis else "." if held else ""
    face.print(f"Would be admitted.{held}{priced}")
    asked = {"usd": told.reserved.usd, "tokens": told.reserved.tokens,
             "requests": told.reserved.requests}  # fmt: skip
    met = [MetLimit(view, asked.get(view.policy.unit)) for view in told.legs]
    if met:
        show(face, _LIMITS, [_row(one) for one in met])
    else:
        face.print("It would meet no limit.")


def _show(face: Face, told: Explanation) -> None:
    face.print(_sentence(face, told))
    if told.limits:
        show(face, _LIMITS, [_row(one) for one in told.limits])
    elif told.code != "envelope_exhausted":
        face.print("It met no limit that you may see.")
    if told.held is not None and told.verdict == "admitted":
        face.print(_estimate(told))
    for step in told.later:
        face.print(_step(face, step))


def _sentence(face: Face, told: Explanation) -> str:
    of = who(told.attributes)
    name = told.allocation_id or told.usage_id or "A call"
    times = f" ({told.times:,} alike within a second)" if told.times > 1 else ""
    code = f": {told.code.replace('_', ' ')}" if told.code else ""
    if told.verdict == "refused":
        name = "A call" if told.code != "envelope_exhausted" else f"A call within {name}"
    by = f" by {told.actor}"
    return (
        f"{name}{f' of {of}' if of else ''} was {told.verdict} at "
        f"{moment(face, told.at_us)}{by}{code}{times}."
    )


def _estimate(told: Explanation) -> str:
    assert told.held is not None
    parts = []
    if told.input_tokens is not None:
        parts.append(f"{told.input_tokens:,} input tokens")
    if told.granted_output_tokens is not None:
        parts.append(f"{told.granted_output_tokens:,} output tokens at most")
    held = "no money" if told.held.usd is None else f"{format_usd(told.held.usd)} USD"
    priced = f", at the prices of {told.basis}" if told.basis else ""
    return f"Held {held}{' for ' + ' and '.join(parts) if parts else ''}{priced}."


def _step(face: Face, step: Step) -> str:
    cost = "" if step.cost_nanos is None else f", {format_usd(step.cost_nanos)} USD"
    flags = f" ({', '.join(step.flags)})" if step.flags else ""
    reason = f": {step.reason}" if step.reason else ""
    return f"Later: {step.kind} at {moment(face, step.at_us)}{cost}{flags}{reason}"


def _row(one: MetLimit) -> Row:
    view = one.balance
    unit = view.policy.unit
    said = f"refused, short by {amount(one.shortfall, unit)}" if one.refused else "admitted"
    if one.usage_id is not None:
        said = f"met later by {one.usage_id}"
    return Row(
        (
            named(view), view.policy.period.text, unit, str(amount(view.limit, unit)),
            str(amount(view.spent, unit)), str(amount(view.reserved, unit)),
            str(amount(view.assumed, unit)),
            "-" if one.requested is None else str(amount(one.requested, unit)),
            str(amount(view.remaining, unit)), said,
        ),
        "over" if one.refused else "",
    )  # fmt: skip

"""`budget calc-cost`: what usage of a model costs, line by line. Nothing is booked."""

from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import read_budget
from budget.cli.dates import instant
from budget.cli.face import Face
from budget.cli.price_words import usual_instead
from budget.cli.tables import Column, Row, show
from budget.cli.typed import typed_as
from budget.domain.errors import InvalidInput
from budget.domain.shapes import CalculationShape
from budget.domain.wire import calculation

_COLUMNS: Final = (
    Column("What", folds=True),
    Column("Quantity", "amount"),
    Column("USD each", "amount", rank=1),
    Column("USD", "amount"),
    Column("Tier from", "amount", optional=True, rank=2),
)


def calc_cost(
    *,
    model: str,
    provider: str | None = None,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
    cache_write_1h_tokens: int = 0,
    reasoning_tokens: int = 0,
    unit: tuple[str, ...] = (),
    context: tuple[str, ...] = (),
    at: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say what usage of a model costs, line by line; nothing is booked.

    Parameters
    ----------
    model:
        The model, such as gpt-4o or openai/gpt-4o.
    provider:
        Who sells it; without it the model's name decides.
    input_tokens:
        Input tokens, those of the cache included.
    output_tokens:
        Output tokens, reasoning included.
    cache_read_tokens:
        Of the input, read from the provider's cache.
    cache_write_tokens:
        Of the input, written to the cache for 5 minutes.
    cache_write_1h_tokens:
        Of the input, written to the cache for an hour.
    reasoning_tokens:
        Of the output, reasoning.
    unit:
        Anything else, such as searches=2 or input_audio_tokens=400; may be given several times.
    context:
        What else decides the price, such as processing=batch or service_tier=priority.
    at:
        When: a day (midnight UTC), or a time such as 2026-11-25T12:00:00Z; now unless given.
    """
    counts = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_tokens": cache_read_tokens,
        "cache_write_tokens": cache_write_tokens,
        "cache_write_1h_tokens": cache_write_1h_tokens,
        "reasoning_tokens": reasoning_tokens,
    }
    ask: dict[str, Any] = {"model": model, **counts}
    if unit:
        ask["units"] = dict(_parse_unit(word) for word in unit)
    if context:
        ask["price_context"] = dict(_parse_context(word) for word in context)
    ask |= {
        name: value for name, value in (("provider", provider), ("at", at and instant(at))) if value
    }
    options = {name: f"--{name.replace('_', '-')}" for name in counts}
    with read_budget(face) as books, typed_as(**options):
        told = calculation(books.calculate(**ask))
    if face.json:
        face.print_json(told)
    else:
        _show(face, told)
        usual = usual_instead(ask.get("price_context", {}), told["price_context"])
        if usual is not None:
            face.note(usual)
    return exits.OK


def _parse_unit(word: str) -> tuple[str, int]:
    name, equals, number = word.partition("=")
    if not equals or not number.isdecimal() or not number.isascii():
        raise InvalidInput("unit", f"{word[:80]!r} is not a unit and a count, such as searches=2.")
    if name.strip() in ("gpu_second", "second"):  # as in a file of prices
        return "milliseconds", 1_000 * int(number)
    return name.strip(), int(number)


def _parse_context(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise InvalidInput("context", f"{word[:80]!r} is not a name and a value.", ())
    return name.strip(), value.strip()


def _show(face: Face, told: CalculationShape) -> None:
    context = "" if told["price_context"] is None else f", {told['price_context']}"
    name = f"{told['provider']} {told['model']}".strip()
    face.print(f"{name}{context}, prices of {told['basis']}")
    if told["resolved"]:
        face.print(f"Read as {'; '.join(told['resolved'])}.")
    rows = []
    for line in told["lines"]:
        tier = line["tier_from_tokens"]
        rows.append(
            Row(
                (
                    line["unit"].replace("_", " "),
                    str(line["quantity"]),
                    line["rate"],
                    line["amount"],
                    str(tier) if tier else "",
                )
            )
        )
    if rows:
        show(face, _COLUMNS, rows)
    face.print(f"Total {told['total_cost']} USD")
    if told["unpriced"]:
        names = ", ".join(told["unpriced"])
        face.print(f"The price of {names} is not known: that is in no figure.")

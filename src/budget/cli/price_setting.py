"""`budget prices set` and `end`: prices of one's own, which win over every source.

Not here: a file of many (`budget serve --prices`).
"""

import secrets
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import Ask, open_budget
from budget.cli.dates import instant
from budget.cli.face import Face
from budget.cli.price_notes import notes
from budget.cli.price_words import full_name, holds, in_and_out, named, pairs, parse_rate, when
from budget.domain import wire
from budget.domain.errors import BudgetError, InvalidInput
from budget.domain.shapes_prices import PriceOverrideShape, PriceShape

if TYPE_CHECKING:
    from budget.domain.facade import Facade


def set_price(
    *names: str,
    provider: str | None = None,
    input: str | None = None,
    output: str | None = None,
    cache_read: str | None = None,
    cache_write: str | None = None,
    cache_write_1h: str | None = None,
    reasoning: str | None = None,
    request: str | None = None,
    unit: tuple[str, ...] = (),
    context: tuple[str, ...] = (),
    starts: Annotated[str | None, Parameter(name="--from")] = None,
    ends: Annotated[str | None, Parameter(name="--to")] = None,
    reason: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Set the price of a model, over what every source says.

    Prices of tokens are in USD per million. Tiers are written 1.25,200001=2.50: the price of small
    calls, and that of calls of so many input tokens or more.

    Parameters
    ----------
    names:
        A model by its whole name, or a provider and a model.
    provider:
        Who sells it; without it the price holds whoever does.
    input:
        USD per million input tokens; 0 where they are free.
    output:
        USD per million output tokens.
    cache_read:
        USD per million tokens read from the cache; as input unless given.
    cache_write:
        USD per million tokens written to the cache; as input unless given.
    cache_write_1h:
        USD per million tokens written to the cache for an hour.
    reasoning:
        USD per million tokens of reasoning; as output unless given.
    request:
        USD for each request.
    unit:
        USD for one of another unit, such as searches=0.01; may be given several times.
    context:
        Only in this price context, such as processing=batch.
    starts:
        From when on: a day (midnight UTC), or a time; from now on unless given.
    ends:
        Until when; until another price is set unless given.
    reason:
        Why; kept with the price. Required.
    """
    ask: Ask = {**named(names, provider)}
    typed = {
        "input": input, "output": output, "cache_read": cache_read, "cache_write": cache_write,
        "cache_write_1h": cache_write_1h, "reasoning": reasoning,
    }  # fmt: skip
    for kind, text in typed.items():
        if text is not None:
            ask[kind] = parse_rate(text, f"--{kind.replace('_', '-')}")
    if unit:
        rates = pairs(unit, "--unit", "searches=0.01").items()
        ask["units"] = {name: parse_rate(text, "--unit") for name, text in rates}
    if context:
        ask["price_context"] = pairs(context, "--context", "processing=batch")
    dates = (("starts_at", starts), ("ends_at", ends))
    ask |= {field: instant(text) for field, text in dates if text is not None}
    ask |= {name: text for name, text in (("request", request), ("reason", reason)) if text}
    ask["idempotency_key"] = f"cli-{secrets.token_hex(16)}"
    if not (reason or "").strip():
        raise InvalidInput("--reason", "is required: say why, in a few words.")
    with open_budget(face, create=True, priced=True) as books:
        former = None if face.json else _price_of(books, ask)
        made = wire.price_override(books.set_price(**ask))
    if face.json:
        face.print_json(made)
    else:
        _show(face, made, former)
    return exits.OK


def _price_of(books: "Facade", ask: Ask) -> PriceShape | None:
    """The price of what is asked to be set that held at its start; None where none is known."""
    wanted = {"provider": "provider", "model": "model", "price_context": "price_context",
              "starts_at": "at"}  # fmt: skip
    asked: Ask = {to: ask[name] for name, to in wanted.items() if name in ask}
    try:
        return wire.price(books.current_price(**asked))
    except BudgetError:
        return None  # what is wrong with it, setting it will say


def _show(face: Face, made: PriceOverrideShape, former: PriceShape | None) -> None:
    face.print(
        f"{_name(made)}: {in_and_out(made['prices'])}, {holds(made['starts_at'], made['ends_at'])}"
    )
    if former is not None:
        face.print(f"It was {in_and_out(former['prices'])}, by {former['source']}.")
    for sentence in notes(made, former):
        face.note(sentence)
    if made["starts_at"] and made["starts_at"] < made["created_at"]:
        face.note(
            f"Calls that are booked keep their cost; `budget prices rerate --from "
            f"{when(made['starts_at'])[:10]}` says what they cost now."
        )
    face.print(f"`budget prices end {made['override_id']} --reason WHY` ends it.")


def end_price(
    override: str,
    /,
    *,
    reason: str | None = None,
    ends: Annotated[str | None, Parameter(name="--at")] = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """End a price that was set: that of the sources holds again.

    Parameters
    ----------
    override:
        Its id, as `budget prices history` shows it.
    reason:
        Why; kept in the journal. Required.
    ends:
        When: a day, or a time to come; now unless given.
    """
    ask: Ask = {"reason": reason}
    if ends is not None:
        ask["ends_at"] = instant(ends)
    with open_budget(face, priced=True) as books:
        told = wire.price_override(books.end_price(override, **ask))
    if face.json:
        face.print_json(told)
    else:
        when_held = holds(told["starts_at"], told["ends_at"])
        face.print(f"{_name(told)}: the price {told['override_id']} holds {when_held}.")
    return exits.OK


def _name(told: PriceOverrideShape) -> str:
    """What a price is of, in words."""
    return full_name(told) if told["provider"] else f"{full_name(told)} of any provider"

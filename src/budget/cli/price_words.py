"""Price words: how commands about prices read what is typed and spell what is told.

Not here: what they ask (`prices`, `price_sources`, `price_setting`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from budget.cli.tables import Column, Row
from budget.domain.errors import InvalidInput
from budget.domain.shapes_prices import PriceUpdateShape, Rate, RatesShape

MILLION: Final = "million tokens"
UPDATES: Final = (
    Column("At", rank=4),
    Column("Source", rank=5),
    Column("Model", folds=True),
    Column("What", rank=1),
    Column("Old", "amount"),
    Column("New", "amount"),
    Column("%", "amount", rank=3),
    Column("Status", rank=2),
    Column("Why", optional=True, rank=6),
    Column("Id", optional=True),
)
"""Columns of changes of prices; the id is shown of those that somebody may decide about."""


def named(names: tuple[str, ...], provider: str | None) -> dict[str, str]:
    """The model that was typed, and its provider if that was: before it, or as an option."""
    if not 1 <= len(names) <= 2:
        raise InvalidInput("model", "name one model, such as gpt-4o, or a provider and a model.")
    *before, model = names
    if before and provider not in (None, before[0]):
        raise InvalidInput("--provider", f"is not {before[0]!r}, as the words before the model.")
    seller = before[0] if before else provider
    return {"model": model} if seller is None else {"provider": seller, "model": model}


def pairs(words: tuple[str, ...], option: str, example: str) -> dict[str, str]:
    """What was typed as name=value."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not name or not value:
            raise InvalidInput(option, f"{word[:80]!r} is not a name and a value, as {example}.")
        if found.setdefault(name, value) != value:
            raise InvalidInput(option, f"{name} is given twice, with different values.")
    return found


def parse_rate(text: str, option: str) -> str | list[list[int | str]]:
    """A price, or tiers of it as 1.25,200001=2.50: from so many input tokens on."""
    first, *others = text.split(",")
    if not others:
        return text.strip()
    tiers: list[list[int | str]] = [[0, first.strip()]]
    for other in others:
        start, equals, price = (part.strip() for part in other.partition("="))
        if not equals or not (start.isascii() and start.isdecimal()) or len(start) > 15:
            raise InvalidInput(
                option,
                f"{text[:80]!r} is no price: write tiers as 1.25,200001=2.50, a price for small "
                "calls and one from so many input tokens on.",
            )
        tiers.append([int(start), price])
    return tiers


def rate_text(rate: Rate | None) -> str:
    """A price in one cell; a + behind it says that it changes with the size of the call."""
    if rate is None:
        return ""
    return rate if isinstance(rate, str) else f"{rate[0][1]}+"


def in_and_out(prices: RatesShape) -> str:
    """The prices of a model in words."""
    if is_of_tokens(prices):
        tokens = f"{rate_text(prices['input'])} in, {rate_text(prices['output'])} out"
        return f"{tokens} (USD per million tokens)"
    parts = [f"{rate_text(rate)} USD per {one_of(unit)}" for unit, rate in prices["units"].items()]
    if prices["request"] != "0.00":
        parts.append(f"{prices['request']} USD per request")
    return ", ".join(parts) or "free"


def token_cells(prices: RatesShape) -> tuple[str, str]:
    """Input and output in cells; of what is not priced by the token, nothing."""
    if not is_of_tokens(prices):
        return "-", "-"
    return rate_text(prices["input"]), rate_text(prices["output"])


def is_of_tokens(prices: RatesShape) -> bool:
    """Whether tokens cost something, or nothing else does."""
    if prices["input"] != "0.00" or prices["output"] != "0.00":
        return True
    return not prices["units"] and prices["request"] == "0.00"


def one_of(unit: str) -> str:
    """What a price of a unit is of."""
    if unit.endswith("_tokens"):
        return f"million {unit.replace('_', ' ')}"
    return "search" if unit == "searches" else unit.removesuffix("s")


def rate_rows(prices: RatesShape) -> Iterator[tuple[str, str, str, str]]:
    """What, from how many input tokens on, USD, and of what; one line for each tier."""
    tokens: list[tuple[str, Rate | None]] = [
        ("input", prices["input"]),
        ("cache read", prices["cache_read"]),
        ("cache write", prices["cache_write"]),
        ("cache write 1h", prices["cache_write_1h"]),
        ("output", prices["output"]),
        ("reasoning", prices["reasoning"]),
    ]
    rates = [(name, rate, MILLION) for name, rate in tokens] if is_of_tokens(prices) else []
    for unit, price in prices["units"].items():
        name = unit.removesuffix("_tokens").replace("_", " ")
        rates.append((name, price, MILLION if unit.endswith("_tokens") else one_of(unit)))
    if prices["request"] != "0.00":
        rates.append(("request", prices["request"], "request"))
    for name, rate, per in rates:
        if isinstance(rate, str):
            yield name, "", rate, per
        elif rate is not None:
            for start, usd in rate:
                yield name, str(start) if start else "", str(usd), per


def when(at: str | None) -> str:
    """An instant as people read it, its midnight left out; empty where there is none."""
    if at is None:
        return ""
    day, _, time = at.partition("T")
    return day if time == "00:00:00Z" else f"{day} {time[:5]}"


def holds(starts_at: str | None, ends_at: str | None) -> str:
    """When a price holds, in words."""
    if starts_at is None and ends_at is None:
        return "always"
    since = "" if starts_at is None else f"since {when(starts_at)}"
    until = "" if ends_at is None else f"until {when(ends_at)}"
    return f"{since} {until}".strip()


def full_name(told: Mapping[str, Any]) -> str:
    """Provider and model in one word, and the context where it is not the usual one."""
    name = f"{told['provider']}/{told['model']}" if told["provider"] else str(told["model"])
    return name if told["price_context"] is None else f"{name} {told['price_context']}"


def usual_instead(asked: Mapping[str, str], told: str | None) -> str | None:
    """A sentence where the price that was found is not of all of the context asked for."""
    have = set((told or "").split(","))
    missed = [f"{name}={value}" for name, value in asked.items() if f"{name}={value}" not in have]
    if not missed:
        return None
    return f"There is no price of its own for {', '.join(missed)}: this is that without it."


def update_row(told: PriceUpdateShape) -> Row:
    """A change of a price as a row of `UPDATES`."""
    waits = told["status"] == "quarantined"
    tier = f" from {told['tier_from_tokens']:,}" if told["tier_from_tokens"] else ""
    return Row(
        (
            when(told["at"]),
            told["source"],
            full_name(told),
            told["kind"].replace("_", " ") + tier,
            told["old_price"] or "-",
            told["new_price"] or "-",
            told["percent"] or "",
            told["status"],
            told["reason"] or "",
            told["update_id"] if waits else "",
        ),
        "over" if waits else "",
    )

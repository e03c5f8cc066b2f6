"""Price notes: what setting a price changes beside what was typed, in sentences.

Not here: setting it (`price_setting`).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from budget.domain.shapes_prices import PriceOverrideShape, PriceShape, RatesShape
from budget.domain.usage import OTHER_UNITS

WILD: Final = 10
"""From so many times on, either way, a change of price is worth a word."""
_PARTS: Final = (
    ("cache_read", "input"), ("cache_write", "input"), ("cache_write_1h", "input"),
    ("reasoning", "output"),
)  # fmt: skip


def notes(made: PriceOverrideShape, former: PriceShape | None) -> Iterator[str]:
    """What somebody should know who set a price, with the one that held at its start."""
    new = made["prices"]
    if former is None:
        yield (
            "No source knows this model: it is priced under exactly this name. "
            "`budget prices list --search WORD` finds those that are known."
        )
        return
    old = former["prices"]
    yield from _wild(new, old)
    yield from _parts(new, old)
    yield from _units(new, old)
    if made["price_context"] is None:
        yield (
            "It holds for calls by this name in every context, batches among them; "
            "--context sets the price of one."
        )


def _wild(new: RatesShape, old: RatesShape) -> Iterator[str]:
    for kind, before, now in (
        ("input", old["input"], new["input"]), ("output", old["output"], new["output"])
    ):  # fmt: skip
        first, second = _first(before), _first(now)
        if second == 0 != first:
            yield f"{kind.capitalize()} is free now: was that meant? (In a shell, quote a $.)"
        elif first == 0 != second:
            yield f"{kind.capitalize()} was free before."
        elif first and second > WILD * first:
            yield f"{kind.capitalize()} is {second / first:.0f} times as much; it is per million."
        elif second and first > WILD * second:
            yield f"{kind.capitalize()} is {first / second:.0f} times less; it is per million."


def _parts(new: RatesShape, old: RatesShape) -> Iterator[str]:
    """Kinds that had a price of their own and now cost what they are part of; tiers that went."""
    told: dict[str, Any] = {**old}
    now: dict[str, Any] = {**new}
    for kind, whole in _PARTS:
        if told[kind] is not None and now[kind] is None:
            option = "--" + kind.replace("_", "-")
            yield (
                f"{kind.replace('_', ' ').capitalize()} was {_first(told[kind])} and costs as much "
                f"as {whole} now; {option} sets it."
            )
    if isinstance(old["input"], list) and not isinstance(new["input"], list):
        start = old["input"][-1][0]
        yield f"The other price from {int(start):,} input tokens on is gone."


def _units(new: RatesShape, old: RatesShape) -> Iterator[str]:
    for unit in old["units"]:
        if unit in OTHER_UNITS and unit not in new["units"]:
            price = _first(old["units"][unit])
            yield f"{unit.capitalize()} have no price now; --unit {unit}={price} keeps the former."


def _first(rate: Any) -> Decimal:
    """The price of small calls."""
    return Decimal(rate[0][1] if isinstance(rate, list) else rate)

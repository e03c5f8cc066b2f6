"""Costs: what usage costs, line by line, as a person may check it.

The lines add up, in pico-USD, to what `pricing.cost_nanos` rounds up once. Not here: what is booked
(a record keeps its counts and rates, from which these lines can be made at any time).
"""

from typing import NamedTuple

from budget.domain.pricing import PICO_PER_NANO, Rate, Rates, rate_at, unpriced_units
from budget.domain.usage import CACHE_UNITS, INPUT_UNITS, OUTPUT_UNITS, Usage


class CostLine(NamedTuple):
    """One kind of what was used: how much of it, at which rate, for how much, in pico-USD.

    Of tokens the quantity leaves out the parts that have lines of their own. `tier_from_tokens`:
    the rate is of the tier from so many input tokens on; None where it has no tiers.
    """

    unit: str
    quantity: int
    rate_pico: int
    amount_pico: int
    tier_from_tokens: int | None


class Cost(NamedTuple):
    """What usage costs: nano-USD, rounded up once, and its lines.

    `unpriced` are units that were used and have no known price; they are in no line.
    """

    cost_nanos: int
    lines: tuple[CostLine, ...]
    unpriced: tuple[str, ...]


def cost(rates: Rates, usage: Usage) -> Cost:
    """The cost of `validated` usage. Kinds of which nothing was used have no line."""
    quantities, priced = _kinds(rates, usage)
    lines = []
    for unit, quantity in quantities.items():
        if quantity:
            rate = priced[unit]
            pico = rate_at(rate, usage.input_tokens)
            tier = _tier_from(rate, usage.input_tokens)
            lines.append(CostLine(unit, quantity, pico, quantity * pico, tier))
    total_pico = sum(line.amount_pico for line in lines)
    unpriced = unpriced_units(rates, usage.units)
    return Cost(-(-total_pico // PICO_PER_NANO), tuple(lines), unpriced)


def _kinds(rates: Rates, usage: Usage) -> tuple[dict[str, int], dict[str, Rate]]:
    """What was used of each kind, without the parts that are kinds themselves, and their rates."""
    own, used = dict(rates.units), dict(usage.units)
    cache_read = rates.input if rates.cache_read is None else rates.cache_read
    cache_write = rates.input if rates.cache_write is None else rates.cache_write
    priced: dict[str, Rate] = {
        "input_tokens": rates.input,
        "cache_read_tokens": cache_read,
        "cache_write_tokens": cache_write,
        "cache_write_1h_tokens": (
            cache_write if rates.cache_write_1h is None else rates.cache_write_1h
        ),
        "output_tokens": rates.output,
        "reasoning_tokens": rates.output if rates.reasoning is None else rates.reasoning,
        "requests": rates.request,
    }
    quantities = {unit: getattr(usage, unit) for unit in priced}
    if not rates.request:
        quantities["requests"] = 0  # a line for every call says nothing
    cached = sum(quantities[unit] for unit in _CACHED)
    quantities["input_tokens"] -= cached
    quantities["output_tokens"] -= quantities["reasoning_tokens"]
    for unit, count in used.items():
        if unit in own:
            quantities[unit], priced[unit] = count, own[unit]
            whole = _WHOLES.get(unit)
            if whole is not None:
                quantities[whole] -= count
    return quantities, priced


_CACHED = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
_WHOLES = {
    **dict.fromkeys(CACHE_UNITS, "cache_read_tokens"),
    **dict.fromkeys(INPUT_UNITS, "input_tokens"),
    **dict.fromkeys(OUTPUT_UNITS, "output_tokens"),
}
"""What a unit of tokens is a part of; the others are counted beside."""


def _tier_from(rate: Rate, input_tokens: int) -> int | None:
    if isinstance(rate, int):
        return None
    return max(from_tokens for from_tokens, _ in rate if from_tokens <= input_tokens)

"""Discounts: what an operator pays less, or more, than the source of prices says.

Not here: how they are read (`own`). All that apply are taken in the order of the file, exactly;
only their result is rounded, up to a whole pico-USD.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rate, Rates, validated_rates
from budget.prices.schedules import ALWAYS_US, Context, Scheduled


class Discount(NamedTuple):
    """Off the prices of a provider, a model or both, by their lower-case names.

    A part of every price is kept, then `off_pico` of each input and output token taken off, down
    to free.
    """

    provider: str | None
    model: str | None
    kept: Fraction = Fraction(1)
    """0.8 of "20%", 1.1 of "-10%"."""
    off_pico: int = 0
    context: Context = ()
    """What a call's context must have."""
    from_us: int = ALWAYS_US[0]
    until_us: int = ALWAYS_US[1]
    """It holds in [from, until)."""


def discounted_rates(rates: Rates, discounts: Sequence[Discount], basis: str) -> Rates | None:
    """The rates less the discounts, on the word of both; None if they grow beyond what a rate is.

    Kinds without a rate of their own fall back as before, to what is discounted already.
    """

    def cut(pico: int, tokens: bool) -> int:
        exact = Fraction(pico)
        for discount in discounts:
            exact *= discount.kept
            if tokens:
                exact = max(Fraction(0), exact - discount.off_pico)
        return -(-exact.numerator // exact.denominator)

    told = {part for part in rates.context.split(",") if part}
    told |= {f"{name}={value}" for discount in discounts for name, value in discount.context}
    less = rates._replace(
        input=_each(rates.input, lambda pico: cut(pico, True)),
        output=_each(rates.output, lambda pico: cut(pico, True)),
        request=cut(rates.request, False),
        units=tuple((u, _each(rate, lambda pico: cut(pico, False))) for u, rate in rates.units),
        basis=f"{rates.basis}+{basis}",
        context=",".join(sorted(told)),
    )
    kinds: dict[str, Any] = {}
    for name in ("cache_read", "cache_write", "cache_write_1h", "reasoning"):
        rate = getattr(rates, name)
        if rate is not None:
            kinds[name] = _each(rate, lambda pico: cut(pico, False))
    try:
        return validated_rates(less._replace(**kinds))
    except InvalidInput:
        return None


def _each(rate: Rate, change: Callable[[int], int]) -> Rate:
    """A rate with each of its tiers changed."""
    if isinstance(rate, int):
        return change(rate)
    return tuple((from_tokens, change(pico)) for from_tokens, pico in rate)


class Discounted(NamedTuple):
    """A model's prices over time, less the discounts that may apply to it."""

    schedule: Scheduled
    discounts: tuple[Discount, ...]
    names: tuple[str, ...]
    basis: str

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        rates, from_us, until_us = self.schedule.at(at_us)
        if rates is None:
            return rates, from_us, until_us
        applied = []
        for discount in self.discounts:
            if discount.provider not in (None, rates.provider):
                continue
            if discount.model not in (None, rates.model.lower(), *self.names):
                continue
            for edge_us in (discount.from_us, discount.until_us):
                if edge_us <= at_us:
                    from_us = max(from_us, edge_us)
                else:
                    until_us = min(until_us, edge_us)
            if discount.from_us <= at_us < discount.until_us:
                applied.append(discount)
        if applied:
            rates = discounted_rates(rates, applied, self.basis)
        return rates, from_us, until_us

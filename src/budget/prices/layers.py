"""Layers: prices of an operator's own, each before the next while it holds, over a source's.

Not here: how a file of them is read (`own`), and the names they are looked for by (`resolving`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from budget.domain.pricing import Rates, encode_rates, validated_rates
from budget.prices.schedules import ALWAYS_US, Context, Piece, Schedule, Scheduled

Overrides = Mapping[tuple[str | None, str], Rates] | Mapping[tuple[str, str], Rates]
"""Own prices by (provider, model), or by (None, model) for whichever provider."""


class OwnEntry(NamedTuple):
    """Own prices of a model, for calls whose context has all of `context`."""

    context: Context
    schedule: Scheduled
    start_us: int | None = None
    """None: always. Before that instant whatever comes next is asked: less exact, or the source."""
    end_us: int | None = None
    """None: for good. From that instant on, too, whatever comes next is asked."""


OwnEntries = Mapping[tuple[str | None, str], tuple[OwnEntry, ...]]


@runtime_checkable
class OwnPrices(Protocol):
    """What an operator says of prices: own ones that win over the source, and discounts on it."""

    @property
    def basis(self) -> str:
        """What was read and the start of its sha256."""
        ...

    @property
    def entries(self) -> OwnEntries:
        """By lower-case (provider, model), or (None, model); the most exact context first."""
        ...

    def discounted(self, found: Scheduled, names: tuple[str, ...], context: Context) -> Scheduled:
        """The source's prices of a model that was asked for by these names, less the discounts."""
        ...


class Layered(NamedTuple):
    """Own entries, each before the next while it holds, and what holds when none does."""

    entries: tuple[OwnEntry, ...]
    rest: Scheduled | None

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        schedule = self.rest
        since_us, ends_us = ALWAYS_US
        for entry in self.entries:
            if entry.start_us is not None and at_us < entry.start_us:
                ends_us = min(ends_us, entry.start_us)
            elif entry.end_us is not None and at_us >= entry.end_us:
                since_us = max(since_us, entry.end_us)
            else:
                schedule = entry.schedule
                ends_us = ends_us if entry.end_us is None else min(ends_us, entry.end_us)
                break
        if schedule is None:
            return None, since_us, ends_us
        rates, from_us, until_us = schedule.at(at_us)
        return rates, max(from_us, since_us), min(until_us, ends_us)


def own_prices(overrides: Overrides) -> dict[tuple[str | None, str], Rates]:
    """The overrides under lower-case names, checked, each saying what it prices."""
    own: dict[tuple[str | None, str], Rates] = {}
    for (provider, model), rates in overrides.items():
        maker, name = provider and provider.strip().lower(), model.strip().lower()
        validated_rates(rates, f"overrides.{provider or '*'}/{model}.")
        own[maker, name] = rates._replace(
            provider=rates.provider or maker or "", model=rates.model or name
        )
    return own


def always(own: Mapping[tuple[str | None, str], Rates], basis: str) -> OwnEntries:
    """Own prices that hold at any time, those without a basis on the word of this one."""
    told = {
        key: rates if rates.basis else rates._replace(basis=basis) for key, rates in own.items()
    }
    return {key: (OwnEntry((), Schedule((Piece(rates),))),) for key, rates in told.items()}


def in_order(own: OwnPrices | Sequence[OwnPrices] | None) -> tuple[OwnPrices, ...]:
    if own is None:
        return ()
    return (own,) if isinstance(own, OwnPrices) else tuple(own)


def own_basis(own: Mapping[tuple[str | None, str], Rates]) -> str:
    lines = sorted(f"{maker}\n{name}\n{encode_rates(own[maker, name])}" for maker, name in own)
    return f"overrides/{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:12]}"

"""Tariffs: what a provider charges in a context by one rule for its models, as a part of the usual.

They hold where the source of prices lists none of its own for the context, as genai-prices does
not for Gemini's tiers of service. Not here: single prices that a source has wrong (`corrections`).
"""

from fractions import Fraction
from typing import Final, NamedTuple

from budget.domain.pricing import Rate, Rates
from budget.domain.usage import OTHER_UNITS
from budget.prices.schedules import Context, Scheduled


class Tariff(NamedTuple):
    """In calls with this of a context, tokens cost `times` the usual.

    Reads from the cache cost `cached` times it.
    """

    provider: str
    models: str
    """What their names begin with."""
    told: tuple[str, str]
    times: Fraction
    cached: Fraction
    source: str


_GEMINI: Final = "https://ai.google.dev/gemini-api/docs/optimization"

_FLEX: Final = ("service_tier", "flex")
_PRIORITY: Final = ("service_tier", "priority")
_HALF: Final = Fraction(1, 2)
_MORE: Final = Fraction(9, 5)
"""Google says "75% to 100% more"; of each model that LiteLLM's table lists it is 80%."""


def _flex(models: str, cached: Fraction) -> Tariff:
    return Tariff("google", models, _FLEX, _HALF, cached, _GEMINI)


TARIFFS: Final = (
    # What is read from the cache is half as dear with some models in flex, and of 3.5 a rounded
    # figure; with all others it costs what it always does.
    _flex("gemini-3.1-flash-lite", _HALF),
    _flex("gemini-3.5-flash-lite", Fraction(2, 3)),
    _flex("gemini-3.5-flash", Fraction(8, 15)),
    *(_flex(models, _HALF) for models in ("gemini-3.6-", "gemini-3.7-", "gemini-3.8-", "gemini-4")),
    _flex("gemini-", Fraction(1)),
    Tariff("google", "gemini-3.5-flash-lite", _PRIORITY, _MORE, Fraction(5, 3), _GEMINI),
    Tariff("google", "gemini-", _PRIORITY, _MORE, _MORE, _GEMINI),
)
"""The first that fits a model counts."""


def by_tariff(usual: Scheduled, provider: str, model: str, context: Context) -> Scheduled | None:
    """A model's prices in a context by the rule for it, from its usual ones; None: no rule."""
    for tariff in TARIFFS:
        fits = tariff.provider == provider and model.startswith(tariff.models)
        if fits and tariff.told in context:
            return _Scaled(usual, tariff)
    return None


class _Scaled(NamedTuple):
    """A schedule at a tariff."""

    usual: Scheduled
    tariff: Tariff

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        rates, from_us, until_us = self.usual.at(at_us)
        return rates and scaled(rates, self.tariff), from_us, until_us


def scaled(rates: Rates, tariff: Tariff) -> Rates:
    """The rates at a tariff, a fraction of a pico-USD rounded up."""
    times, cached = tariff.times, tariff.cached
    read = rates.cache_read
    return rates._replace(
        input=_times(rates.input, times),
        output=_times(rates.output, times),
        cache_read=None if read is None else _times(read, cached),
        cache_write=rates.cache_write and _times(rates.cache_write, times),
        cache_write_1h=rates.cache_write_1h and _times(rates.cache_write_1h, times),
        reasoning=rates.reasoning and _times(rates.reasoning, times),
        units=tuple((unit, _unit(unit, rate, tariff)) for unit, rate in rates.units),
        basis=f"{rates.basis}+tariffs",
        context="=".join(tariff.told),
    )


def _unit(unit: str, rate: Rate, tariff: Tariff) -> Rate:
    """Searches and the like cost what they always cost."""
    if unit in OTHER_UNITS:
        return rate
    return _times(rate, tariff.cached if unit.startswith("cache_") else tariff.times)


def _times(rate: Rate, times: Fraction) -> Rate:
    if isinstance(rate, int):
        return -(-rate * times.numerator // times.denominator)
    return tuple((start, -(-pico * times.numerator // times.denominator)) for start, pico in rate)

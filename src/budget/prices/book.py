"""Price books: an immutable snapshot of prices, asked for a model's rates at an instant.

Not here: where prices come from (`bundled`, `own`, `sources`), how names are matched (`resolving`),
and what usage costs (`domain.pricing`).
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from budget.domain.pricing import Rates
from budget.prices.capabilities import Describing, described
from budget.prices.layers import (
    Overrides,
    OwnPrices,
    always,
    in_order,
    own_basis,
    own_prices,
)
from budget.prices.listings import Capabilities
from budget.prices.resolutions import Resolution
from budget.prices.resolving import Resolver
from budget.prices.schedules import (
    ALWAYS_US,
    DAY_US,
    Context,
    PriceSource,
    Scheduled,
)
from budget.prices.tiers import Tiering, TierOf, tier_of, tier_table

MAX_CACHED_NAMES: Final = 10_000
MAX_NAME_CHARS: Final = 256
MAX_CACHED_OFFERS: Final = 200


class _Held(NamedTuple):
    """A cached answer, with the instants it is good for."""

    from_us: int
    until_us: int
    rates: Rates | None
    schedule: Scheduled | None
    seller: str | None


Name = tuple[str | None, str, Context]


class PriceBook:
    """A frozen snapshot of prices: a source, and own prices that win over it.

    Own prices are matched by whole names, whatever their case, first (provider, model), then
    (None, model); never by alias or date of the model. Those of `overrides` win over those of
    `own`, of which the first win over the next; discounts apply to the source's prices only.
    `capabilities` are those that sources state, by lower-case (provider, model). Safe to share
    between threads.
    """

    __slots__ = (
        "_able", "_basis", "_capabilities", "_described", "_offers", "_older", "_recent",
        "_resolver", "tier_of",
    )  # fmt: skip

    def __init__(
        self,
        source: PriceSource | None,
        overrides: Overrides | None = None,
        own: OwnPrices | Sequence[OwnPrices] | None = None,
        capabilities: Mapping[tuple[str, str], Capabilities] | None = None,
    ) -> None:
        given = own_prices(overrides or {})
        given_basis = own_basis(given)
        owned = in_order(own)
        parts = [] if source is None else [source.basis]
        parts += [layer.basis for layer in owned if layer.basis]
        if given or not parts:
            parts.append(given_basis)
        self._basis = "+".join(parts)
        self._capabilities = capabilities or {}
        self._described = [each.capabilities for each in owned if isinstance(each, Describing)]
        self.tier_of = _tier_of(owned)
        layers = [always(given, given_basis), *(layer.entries for layer in owned)]
        self._resolver = Resolver(source, owned, layers)
        # Two generations: made-up names push out each other, not the names in daily use.
        self._recent: dict[Name, _Held] = {}
        self._older: dict[Name, _Held] = {}
        self._able: dict[tuple[str | None, str], Capabilities] = {}
        self._offers: dict[tuple[str, int], tuple[tuple[Rates, Capabilities], ...]] = {}

    @property
    def basis(self) -> str:
        """The id of this snapshot; a record keeps its rates' own basis, which is a part of it."""
        return self._basis

    def lookup(
        self, provider: str | None, model: str, at_us: int, context: Context = ()
    ) -> Rates | None:
        """The rates of a model at an instant; None when it has no known price, which is not free.

        Without a provider, one that stands before a slash in the model's name is taken, else the
        model's name decides. A `context` that the model has no price of its own for, or an own
        price, changes nothing. `resolve` says how the name was read.
        """
        held = self._recent.get((provider, model, context))
        if held is not None and held[0] <= at_us < held[1]:  # quicker than by name
            return held[2]
        return self._look_up_again(provider, model, at_us, context).rates

    def period(
        self, provider: str | None, model: str, at_us: int, context: Context = ()
    ) -> tuple[Rates | None, int, int]:
        """The rates that `lookup` gives, and an interval [from, until) around it in which they
        stay.
        """
        held = self._look_up_again(provider, model, at_us, context)
        return held.rates, held.from_us, held.until_us

    def seller(self, provider: str | None, model: str, at_us: int) -> str | None:
        """Our id of the provider whose model this is, priced or not; None if nothing says one."""
        held = self._look_up_again(provider, model, at_us, ())
        rates = held.rates
        return held.seller if rates is None else rates.provider or held.seller

    def resolve(
        self, provider: str | None, model: str, at_us: int, context: Context = ()
    ) -> Resolution:
        """What a name means at an instant, how that was found, or what else it may mean.

        The rates are those of `lookup`. Slow: nothing of it is remembered.
        """
        if _is_too_long(provider, model):
            return Resolution(None, model[:MAX_NAME_CHARS], None)
        return self._resolver.resolve(provider, model, at_us, context)

    def offers(self, provider: str, at_us: int) -> tuple[Rates, ...]:
        """What a provider, by the name its `Rates` carry, sells on the day of an instant."""
        return tuple(rates for rates, _ in self.offered(provider, at_us))

    def offered(self, provider: str, at_us: int) -> tuple[tuple[Rates, Capabilities], ...]:
        """The same, with what each model can do."""
        day_us = at_us - at_us % DAY_US
        found = self._offers.get((provider, day_us))
        if found is None:
            models = {model for maker, model in self._resolver.models() if maker == provider}
            priced = (self.lookup(provider, model, at_us) for model in sorted(models))
            found = tuple(
                (rates, self.capabilities(rates.provider, rates.model))
                for rates in priced
                if rates is not None
            )
            if len(self._offers) >= MAX_CACHED_OFFERS:
                self._offers.clear()
            self._offers[provider, day_us] = found
        return found

    def capabilities(self, provider: str | None, model: str) -> Capabilities:
        """What a model can do and how much fits, by any name of it; None where nobody says."""
        if _is_too_long(provider, model):
            return Capabilities()
        found = self._able.get((provider, model))
        if found is None:
            if len(self._able) >= MAX_CACHED_NAMES // 2:
                self._able.clear()
            found = self._able[provider, model] = self._capabilities_of(provider, model)
        return found

    def _capabilities_of(self, provider: str | None, model: str) -> Capabilities:
        held = self._look_up_again(provider, model, ALWAYS_US[1] - 1, ())
        names = list(self._resolver.names(provider, model))
        if held.rates is not None and held.rates.model:
            seller = held.rates.provider.lower() or held.seller
            names.append((seller, held.rates.model.lower()))
        return described(self._described, self._capabilities, list(dict.fromkeys(names)))

    def _look_up_again(
        self, provider: str | None, model: str, at_us: int, context: Context
    ) -> _Held:
        if _is_too_long(provider, model):
            return _Held(*ALWAYS_US, None, None, None)
        key = (provider, model, context)
        held = self._recent.get(key) or self._older.get(key)
        if held is None:
            schedule, seller = self._resolver.schedule(provider, model, context)
        elif held.from_us <= at_us < held.until_us:
            self._keep(key, held)
            return held
        else:
            schedule, seller = held.schedule, held.seller
        if schedule is None:
            held = _Held(*ALWAYS_US, None, None, seller)
        else:
            rates, from_us, until_us = schedule.at(at_us)
            held = _Held(from_us, until_us, rates, schedule, seller)
        self._keep(key, held)
        return held

    def _keep(self, key: Name, held: _Held) -> None:
        if key not in self._recent and len(self._recent) >= MAX_CACHED_NAMES // 2:
            self._older, self._recent = self._recent, {}
        self._recent[key] = held


def _tier_of(owned: Sequence[OwnPrices]) -> TierOf:
    """The standard table of tiers, or with what operators say of models."""
    said: dict[tuple[str | None, str], str] = {}
    for each in reversed(owned):
        if isinstance(each, Tiering):
            said |= each.tiers
    return tier_table(exact=said) if said else tier_of


def _is_too_long(provider: str | None, model: str) -> bool:
    return len(model) > MAX_NAME_CHARS or (provider is not None and len(provider) > MAX_NAME_CHARS)


def bundled_book(overrides: Overrides | None = None) -> PriceBook:
    """A book on the prices that come with the installed genai-prices; no network.

    The first call imports them, in about 0.3 s: make it when a service starts, or in a thread.
    """
    from budget.prices.bundled import bundled_capabilities, bundled_prices

    return PriceBook(bundled_prices(), overrides, capabilities=bundled_capabilities())

"""Price books: an immutable snapshot of prices, asked for a model's rates at an instant.

Not here: where prices come from (`bundled`, `own`), and what usage costs (`domain.pricing`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

from budget.domain.pricing import Rates, encode_rates, validated_rates

if TYPE_CHECKING:
    from budget.prices.listings import Capabilities

DAY_US: Final = 86_400_000_000
ALWAYS_US: Final = (-(2**63), 2**63 - 1)
MAX_CACHED_NAMES: Final = 10_000
MAX_NAME_CHARS: Final = 256
MAX_CACHED_OFFERS: Final = 200

_LITELLM: Final = "litellm"

Overrides = Mapping[tuple[str | None, str], Rates] | Mapping[tuple[str, str], Rates]
"""Own prices by (provider, model), or by (None, model) for whichever provider."""


class Piece(NamedTuple):
    """Rates and when they hold: always, from an instant on, or daily between two UTC times.

    `rates` None: the source has no price that we can use for that time.
    """

    rates: Rates | None
    start_us: int | None = None
    daily_us: tuple[int, int] | None = None
    """[start, end) in microseconds since UTC midnight; an end before its start is past midnight."""
    end_us: int | None = None
    """The first instant at which it holds no more; None: until another one does."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A model's prices over time: of the pieces in force the last counts.

    If none is, it is the first, unless that has an end: then it is the price of its time only.
    """

    pieces: tuple[Piece, ...]

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        midnight_us = at_us - at_us % DAY_US
        from_us, until_us = ALWAYS_US
        for piece in self.pieces:
            for edge_us in _edges_us(piece, midnight_us):
                if edge_us <= at_us:
                    from_us = max(from_us, edge_us)
                else:
                    until_us = min(until_us, edge_us)
        for piece in reversed(self.pieces):
            if _holds(piece, at_us, at_us - midnight_us):
                return piece.rates, from_us, until_us
        undated = self.pieces[0]
        return undated.rates if undated.end_us is None else None, from_us, until_us


def _holds(piece: Piece, at_us: int, since_midnight_us: int) -> bool:
    if piece.start_us is not None and at_us < piece.start_us:
        return False
    if piece.end_us is not None and at_us >= piece.end_us:
        return False
    if piece.daily_us is None:
        return True
    start_us, end_us = piece.daily_us
    if end_us < start_us:
        return since_midnight_us >= start_us or since_midnight_us < end_us
    return start_us <= since_midnight_us < end_us


def _edges_us(piece: Piece, midnight_us: int) -> list[int]:
    """The instants, about that day, at which the piece may begin or cease to hold."""
    edges_us = [edge_us for edge_us in (piece.start_us, piece.end_us) if edge_us is not None]
    for time_us in piece.daily_us or ():
        edges_us += [midnight_us + days * DAY_US + time_us for days in (-1, 0, 1)]
    return edges_us


CONTEXT_NAMES: Final = ("processing", "region", "route", "search_type", "service_tier", "speed")
"""`processing=batch`, `service_tier=flex` or `=priority`, `speed=fast`, a `region` or a `route`."""

Context = tuple[tuple[str, str], ...]
"""What of a call decides its price beside model and time: (name, value), by name."""


class Scheduled(Protocol):
    """Prices over time."""

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        ...


class PriceSource(Protocol):
    """What a book draws on: prices under one basis, and that source's way of matching names."""

    @property
    def basis(self) -> str:
        """Source, version and start of the sha256 of its prices."""
        ...

    def provider_id(self, provider: str) -> str | None:
        """The source's own name of a provider, however it is spelled; None if unknown."""
        ...

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Scheduled | None:
        """The prices of a model in a context, None if unknown. Without a provider the model's name
        decides; a context that the model has no price for changes nothing.
        """
        ...

    def models(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) listed, priced or not."""
        ...


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


class _Layered(NamedTuple):
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


class _Held(NamedTuple):
    """A cached answer, with the instants it is good for."""

    from_us: int
    until_us: int
    rates: Rates | None
    schedule: Scheduled | None


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
        "_basis", "_capabilities", "_layers", "_offers", "_older", "_own", "_own_providers",
        "_recent", "_source",
    )  # fmt: skip

    def __init__(
        self,
        source: PriceSource | None,
        overrides: Overrides | None = None,
        own: OwnPrices | Sequence[OwnPrices] | None = None,
        capabilities: "Mapping[tuple[str, str], Capabilities] | None" = None,
    ) -> None:
        given = _own_prices(overrides or {})
        given_basis = _own_basis(given)
        self._own = _in_order(own)
        parts = [] if source is None else [source.basis]
        parts += [layer.basis for layer in self._own if layer.basis]
        if given or not parts:
            parts.append(given_basis)
        self._basis = "+".join(parts)
        self._source = source
        self._capabilities = capabilities or {}
        layers = [_always(given, given_basis), *(layer.entries for layer in self._own)]
        self._own_providers = frozenset(
            provider for layer in layers for provider, _ in layer if provider is not None
        )
        self._layers = tuple(self._spelled(layer) for layer in layers if layer)
        # Two generations: made-up names push out each other, not the names in daily use.
        self._recent: dict[Name, _Held] = {}
        self._older: dict[Name, _Held] = {}
        self._offers: dict[tuple[str, int], tuple[Rates, ...]] = {}

    def _spelled(self, layer: OwnEntries) -> OwnEntries:
        """The same entries where whoever spells the provider another way meets them as well."""
        entries = dict(layer)
        for (provider, model), found in layer.items():
            if provider is not None:
                entries.setdefault((self._known(provider), model), found)
        return entries

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
        price, changes nothing.
        """
        held = self._recent.get((provider, model, context))
        if held is not None and held[0] <= at_us < held[1]:  # quicker than by name
            return held[2]
        return self._look_up_again(provider, model, at_us, context)

    def period(
        self, provider: str | None, model: str, at_us: int, context: Context = ()
    ) -> tuple[Rates | None, int, int]:
        """The rates that `lookup` gives, and an interval [from, until) around it in which they
        stay.
        """
        rates = self._look_up_again(provider, model, at_us, context)
        held = self._recent.get((provider, model, context))
        from_us, until_us = ALWAYS_US if held is None else (held.from_us, held.until_us)
        return rates, from_us, until_us

    def offers(self, provider: str, at_us: int) -> tuple[Rates, ...]:
        """What a provider, by the name its `Rates` carry, sells on the day of an instant."""
        day_us = at_us - at_us % DAY_US
        found = self._offers.get((provider, day_us))
        if found is None:
            listed = () if self._source is None else self._source.models()
            models = {model for maker, model in listed if maker == provider}
            for layer in self._layers:
                models |= {model for maker, model in layer if maker == provider}
            priced = (self.lookup(provider, model, at_us) for model in sorted(models))
            found = tuple(rates for rates in priced if rates is not None)
            if len(self._offers) >= MAX_CACHED_OFFERS:
                self._offers.clear()
            self._offers[provider, day_us] = found
        return found

    def _look_up_again(
        self, provider: str | None, model: str, at_us: int, context: Context
    ) -> Rates | None:
        if len(model) > MAX_NAME_CHARS or (provider and len(provider) > MAX_NAME_CHARS):
            return None
        key = (provider, model, context)
        held = self._recent.get(key) or self._older.get(key)
        if held is None:
            schedule = self._find(provider, model, context)
        elif held.from_us <= at_us < held.until_us:
            self._keep(key, held)
            return held.rates
        else:
            schedule = held.schedule
        if schedule is None:
            held = _Held(*ALWAYS_US, None, None)
        else:
            rates, from_us, until_us = schedule.at(at_us)
            held = _Held(from_us, until_us, rates, schedule)
        self._keep(key, held)
        return held.rates

    def _keep(self, key: Name, held: _Held) -> None:
        if key not in self._recent and len(self._recent) >= MAX_CACHED_NAMES // 2:
            self._older, self._recent = self._recent, {}
        self._recent[key] = held

    def _find(self, provider: str | None, model: str, context: Context) -> Scheduled | None:
        """The schedule of a name as it was given; slow."""
        given = (provider or "").strip().lower() or None
        name = model.strip().lower()
        # LiteLLM sells nothing: behind its name stands the provider before the slash.
        seller = None if given is None or given == _LITELLM else self._known(given)
        bare = name
        before, _, after = name.partition("/")
        if after and (named := self._known(before)) is not None:
            if given is None or given == _LITELLM:
                seller = named
            if named == seller:
                bare = after
        keys = ((given, name), (seller, bare), (seller, name), (None, name), (None, bare))
        layers: list[OwnEntry] = []
        for entry in self._own_of(tuple(dict.fromkeys(keys)), context):
            layers.append(entry)
            if entry.start_us is None and entry.end_us is None:  # it hides all that comes next
                return _Layered(tuple(layers), None) if layers[1:] else entry.schedule
        found: Scheduled | None = None
        if seller is not None or given in (None, _LITELLM):
            found = self._sold(seller, bare, name, context)
        return _Layered(tuple(layers), found) if layers else found

    def _own_of(
        self, keys: tuple[tuple[str | None, str], ...], context: Context
    ) -> Iterator[OwnEntry]:
        """Own entries under these names that a context meets, the first that win over the next."""
        told = set(context)
        for layer in self._layers:
            for key in keys:
                for entry in layer.get(key, ()):
                    if set(entry.context) <= told:
                        yield entry

    def _sold(self, seller: str | None, bare: str, name: str, context: Context) -> Scheduled | None:
        """What the source has for a model, less the discounts."""
        if self._source is None:
            return None
        found = self._source.schedule(seller, bare, context)
        if found is None and bare != name:
            found = self._source.schedule(seller, name, context)
        if found is None:
            return None
        for own in self._own:
            found = own.discounted(found, (bare, name), context)
        return found

    def _known(self, provider: str) -> str | None:
        """The one id of a provider: the source's, else its own name if own prices have it."""
        found = None if self._source is None else self._source.provider_id(provider)
        if found is None and provider in self._own_providers:
            return provider
        return found


def _own_prices(overrides: Overrides) -> dict[tuple[str | None, str], Rates]:
    """The overrides under lower-case names, checked, each saying what it prices."""
    own: dict[tuple[str | None, str], Rates] = {}
    for (provider, model), rates in overrides.items():
        maker, name = provider and provider.strip().lower(), model.strip().lower()
        validated_rates(rates, f"overrides.{provider or '*'}/{model}.")
        own[maker, name] = rates._replace(
            provider=rates.provider or maker or "", model=rates.model or name
        )
    return own


def _always(own: Mapping[tuple[str | None, str], Rates], basis: str) -> OwnEntries:
    """Own prices that hold at any time, those without a basis on the word of this one."""
    told = {
        key: rates if rates.basis else rates._replace(basis=basis) for key, rates in own.items()
    }
    return {key: (OwnEntry((), Schedule((Piece(rates),))),) for key, rates in told.items()}


def _in_order(own: OwnPrices | Sequence[OwnPrices] | None) -> tuple[OwnPrices, ...]:
    if own is None:
        return ()
    return (own,) if isinstance(own, OwnPrices) else tuple(own)


def _own_basis(own: Mapping[tuple[str | None, str], Rates]) -> str:
    lines = sorted(f"{maker}\n{name}\n{encode_rates(own[maker, name])}" for maker, name in own)
    return f"overrides/{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:12]}"


def bundled_book(overrides: Overrides | None = None) -> PriceBook:
    """A book on the prices that come with the installed genai-prices; no network.

    The first call imports them, in about 0.3 s: make it when a service starts, or in a thread.
    """
    from budget.prices.bundled import bundled_prices

    return PriceBook(bundled_prices(), overrides)

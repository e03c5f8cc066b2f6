"""Several sources as one: the most trusted first, each with the prices that it had before.

A model has the price of the first source that knows it. What a source said until an instant, or is
kept in spite of what it says now, holds at its time. Not here: which sources there are and what
was kept (`engine.price_book.shelf`), and how far they agree (`verification`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from budget.domain.pricing import Rates
from budget.prices.schedules import ALWAYS_US, Context, PriceSource, Scheduled

FAR_US: Final = 4_102_444_800_000_000
"""The year 2100: what a schedule says then tells whose it is."""

Key = tuple[str, str, str]
"""Provider, model and context as text, the first two in lower case."""


class Closed(NamedTuple):
    """A price that holds in [from_us, until_us) whatever its source says now; None: open."""

    schedule: Scheduled
    from_us: int | None
    until_us: int | None
    reason: str
    basis: str = ""


class Dated(NamedTuple):
    """A source's schedule, and before it what closed prices say; the earliest end first."""

    closed: tuple[Closed, ...]
    now: Scheduled | None

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        since_us, ends_us = ALWAYS_US
        for closed in self.closed:
            if closed.from_us is not None and at_us < closed.from_us:
                ends_us = min(ends_us, closed.from_us)
            elif closed.until_us is None or at_us < closed.until_us:
                return _within(closed.schedule, at_us, max(since_us, closed.from_us or since_us),
                               min(ends_us, closed.until_us or ends_us))  # fmt: skip
            else:
                since_us = max(since_us, closed.until_us)
        if self.now is None:
            return None, since_us, ends_us
        return _within(self.now, at_us, since_us, ends_us)


def _within(
    schedule: Scheduled, at_us: int, since_us: int, ends_us: int
) -> tuple[Rates | None, int, int]:
    rates, from_us, until_us = schedule.at(at_us)
    return rates, max(from_us, since_us), min(until_us, ends_us)


def context_text(context: Context) -> str:
    """A context as rates and rows write it."""
    return ",".join(f"{name}={value}" for name, value in context)


def context_of(text: str) -> Context:
    """The context that `context_text` wrote."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return tuple((name, value) for name, _, value in pairs)


def key_of(schedule: Scheduled) -> Key | None:
    """Whose prices these are; None if none is known at any time."""
    for at_us in (FAR_US, 0):
        rates = schedule.at(at_us)[0]
        if rates is not None:
            return rates.provider.lower(), rates.model.lower(), rates.context
    for piece in getattr(schedule, "pieces", ()):
        if piece.rates is not None:
            return piece.rates.provider.lower(), piece.rates.model.lower(), piece.rates.context
    return None


class Trusted:
    """One source, how far it is trusted, and what of it is closed."""

    __slots__ = ("_closed", "_kept", "name", "prices", "trust")

    def __init__(
        self, name: str, trust: int, prices: PriceSource, closed: Mapping[Key, Sequence[Closed]]
    ) -> None:
        self.name = name
        self.trust = trust
        self.prices = prices
        self._closed = {key: tuple(sorted(rows, key=_by_end)) for key, rows in closed.items()}
        self._kept: dict[str, dict[str, list[Context]]] = {}
        for (provider, model, context), rows in self._closed.items():
            if any(row.until_us is None for row in rows):
                sellers = self._kept.setdefault(model, {})
                sellers.setdefault(provider, []).append(context_of(context))

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Scheduled | None:
        """A model's prices over time in a context, or None."""
        found = self.prices.schedule(provider, model, context)
        key = self._key_kept(provider, model, context) if found is None else key_of(found)
        closed = self._closed.get(key, ()) if key is not None else ()
        return Dated(closed, found) if closed else found

    def closed(self, provider: str, model: str) -> Iterator[tuple[str, Closed]]:
        """The closed prices of a model, with their contexts."""
        for (seller, name, context), rows in self._closed.items():
            if (seller, name) == (provider, model):
                for row in rows:
                    yield context, row

    def kept(self, rates: Rates) -> str | None:
        """Why these rates hold in spite of what the source says now, if they do."""
        key = (rates.provider.lower(), rates.model.lower(), rates.context)
        rows = self._closed.get(key, ())
        return rows[-1].reason if rows and rows[-1].until_us is None else None

    def models(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) listed, and those that are kept."""
        yield from self.prices.models()
        for model, sellers in self._kept.items():
            for provider in sellers:
                yield provider, model

    def _key_kept(self, provider: str | None, model: str, context: Context) -> Key | None:
        """The key under which a model that is listed no more is kept."""
        sellers = self._kept.get(model.lower())
        if sellers is None or (provider is None and len(sellers) > 1):
            return None
        seller = next(iter(sellers)) if provider is None else provider.lower()
        told = set(context)
        fitting = [known for known in sellers.get(seller, ()) if set(known) <= told]
        if not fitting:
            return None
        return seller, model.lower(), context_text(max(fitting, key=len))


def _by_end(closed: Closed) -> int:
    return ALWAYS_US[1] if closed.until_us is None else closed.until_us


class Combined:
    """Sources in the order of their trust, as one `PriceSource`."""

    __slots__ = ("_basis", "sources")

    def __init__(self, sources: Iterable[Trusted]) -> None:
        self.sources = tuple(sorted(sources, key=lambda source: -source.trust))
        self._basis = "+".join(source.prices.basis for source in self.sources)

    @property
    def basis(self) -> str:
        """Those of all sources."""
        return self._basis

    def provider_id(self, provider: str) -> str | None:
        """The id of a provider by the first source that knows it."""
        for source in self.sources:
            found = source.prices.provider_id(provider)
            if found is not None:
                return found
        return None

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Scheduled | None:
        """A model's prices by the first source that knows it."""
        for source in self.sources:
            found = source.schedule(provider, model, context)
            if found is not None:
                return found
        return None

    def models(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) that some source lists, once."""
        seen: set[tuple[str, str]] = set()
        for source in self.sources:
            for provider, model in source.models():
                name = (provider.lower(), model.lower())
                if name not in seen:
                    seen.add(name)
                    yield provider, model

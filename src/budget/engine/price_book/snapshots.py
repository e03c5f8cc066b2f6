"""Price snapshots in use: what a source said, read when somebody first asks for it.

The most trusted source knows nearly every model, so the others need not be read before the first
call: each is when a model is not found, or by the shelf's thread after the start. Not here: which
snapshots are in force (`shelf`).
"""

import logging
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from budget.domain.errors import BudgetError
from budget.engine.price_book.rows import Snapshot
from budget.prices.listings import Capabilities
from budget.prices.schedules import Context, PriceSource, Scheduled
from budget.prices.trust import MAIN

log = logging.getLogger("budget.prices")

UNREADABLE: Final = (BudgetError, OSError, EOFError, zlib.error)
"""What reading a snapshot that was damaged raises."""

Name = tuple[str, str]


class Opened(NamedTuple):
    """A snapshot that was read."""

    prices: PriceSource
    capabilities: Mapping[Name, Capabilities]


def read_snapshot(stored: Snapshot) -> Opened:
    """A snapshot as prices and capabilities; BadFeed if it cannot be read (any more)."""
    from budget.prices.sources import ADAPTERS, genai_prices
    from budget.prices.sources.listed_source import ListedPrices

    if stored.source == MAIN:
        return Opened(genai_prices.price_source(stored.data, stored.version), {})
    feed = ADAPTERS[stored.source].read(stored.data, stored.version)
    return Opened(ListedPrices(feed), feed.capabilities)


class LaterPrices:
    """A snapshot's prices as a `PriceSource`. One that cannot be read says nothing, and it is told
    to the log.
    """

    __slots__ = ("_basis", "_opened", "_reading", "_stored")

    def __init__(self, stored: Snapshot) -> None:
        self._basis = stored.basis
        self._stored: Snapshot | None = stored
        self._opened: Opened | None = None
        self._reading = threading.Lock()

    @property
    def basis(self) -> str:
        """Source, version and start of the sha256 of its prices."""
        return self._basis

    def provider_id(self, provider: str) -> str | None:
        """The source's own name of a provider; None if unknown."""
        opened = self.opened()
        return None if opened is None else opened.prices.provider_id(provider)

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Scheduled | None:
        """The prices of a model in a context, None if unknown."""
        opened = self.opened()
        return None if opened is None else opened.prices.schedule(provider, model, context)

    def models(self) -> Iterator[Name]:
        """Every (provider, model) listed."""
        opened = self.opened()
        return iter(()) if opened is None else opened.prices.models()

    def opened(self) -> Opened | None:
        """What it says; read now if nobody has before."""
        if self._opened is None and self._stored is not None:
            with self._reading:
                if self._stored is not None:
                    try:
                        self._opened = read_snapshot(self._stored)
                    except UNREADABLE as error:
                        log.error("the snapshot %s cannot be read: %s", self._basis, error)
                    self._stored = None
        return self._opened


class LaterCapabilities(Mapping[Name, Capabilities]):
    """Of each thing a model can do, what the most trusted source says that says anything."""

    __slots__ = ("_sources",)

    def __init__(self, sources: Sequence[PriceSource]) -> None:
        self._sources = tuple(one for one in sources if isinstance(one, LaterPrices))

    def __getitem__(self, name: Name) -> Capabilities:
        found: Capabilities | None = None
        for table in self._tables():
            told = table.get(name)
            if told is None:
                continue
            if found is None:
                found = told
            else:
                pairs = zip(found, told, strict=True)
                found = Capabilities._make(a if a is not None else b for a, b in pairs)
        if found is None:
            raise KeyError(name)
        return found

    def __bool__(self) -> bool:
        return bool(self._sources)

    def __iter__(self) -> Iterator[Name]:
        return iter({name for table in self._tables() for name in table})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _tables(self) -> Iterator[Mapping[Name, Capabilities]]:
        for source in self._sources:
            opened = source.opened()
            if opened is not None:
                yield opened.capabilities

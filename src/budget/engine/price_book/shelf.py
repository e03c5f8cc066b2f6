"""The price shelf: the price book of a database as this process knows it, rebuilt when it changes.

Calls are priced by the book that is there; a newer one is made beside them and takes its place
whole. Not here: what changes it (`acts`, `overrides`), and its rows (`rows`).
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from budget.domain.answers_prices import PriceOverride
from budget.domain.errors import BudgetError
from budget.engine.catalogue import Catalogue
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.rows import ClosedRow, Stored, decode_schedule
from budget.engine.price_book.settings import PriceSettings
from budget.engine.price_book.snapshots import (
    UNREADABLE,
    LaterCapabilities,
    LaterPrices,
    read_snapshot,
)
from budget.engine.snapshots import snapshot
from budget.prices.book import PriceBook
from budget.prices.combined import Closed, Combined, Key, Trusted, context_of
from budget.prices.layers import OwnEntry, OwnPrices
from budget.prices.schedules import Context, Piece, PriceSource, Schedule, Scheduled
from budget.prices.trust import MAIN
from budget.storage.database import Database

log = logging.getLogger("budget.prices")

OVERRIDE: Final = "override"
"""The source of prices that were set by the API, as `own` is that of the operator's file."""


def bundled_prices() -> PriceSource:
    """The prices that come with the installed genai-prices."""
    from budget.prices.bundled import bundled_prices

    return bundled_prices()


class Shelved(NamedTuple):
    """One version of the price book, and the book made of it."""

    stored: Stored
    combined: Combined
    book: PriceBook
    own: tuple[OwnPrices, ...]
    """What operators say, by the API and in their file, the first winning."""


class PriceShelf:
    """Open for as long as the books are."""

    def __init__(
        self, database: Database, settings: PriceSettings, own: OwnPrices | None = None
    ) -> None:
        """`own` is what the operator's file says."""
        self.settings = settings
        self._database = database
        self._own = own
        self._used: dict[str, PriceSource] = {}
        self._loading = threading.Lock()
        self._awake = threading.Event()
        self._closing = False
        self._shelved = self._load()
        self._thread: threading.Thread | None = None

    @property
    def shelved(self) -> Shelved:
        """The version in use."""
        return self._shelved

    @property
    def book(self) -> PriceBook:
        """The book in use."""
        return self._shelved.book

    def load(self) -> Shelved:
        """The price book as the database has it now, taken into use."""
        with self._loading:
            with snapshot(self._database) as connection:
                version = price_rows.read_version(connection)
            if version != self._shelved.stored.version:
                self._shelved = self._load()
            return self._shelved

    def notice(self, catalogue: Catalogue) -> None:
        """Hear from the writer which version there is; a newer one is loaded by the thread."""
        if catalogue.price_version != self._shelved.stored.version:
            self._awake.set()

    def start(self, first: Callable[[], object]) -> None:
        """Start the thread, which begins with `first`."""
        self._thread = threading.Thread(
            target=self._run, args=(first,), name="budget-prices", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing = True
        self._awake.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def closing(self) -> bool:
        """Whether long work should be left."""
        return self._closing

    def _run(self, first: Callable[[], object]) -> None:
        self._try(first)
        self._try(self._read_all)
        while not self._closing:
            self._awake.wait()
            self._awake.clear()
            if not self._closing:
                self._try(self.load)
                self._try(self._read_all)

    def _read_all(self) -> None:
        """Read the sources that nobody has asked yet, before somebody waits for them."""
        for source in self._shelved.combined.sources:
            if isinstance(source.prices, LaterPrices) and not self._closing:
                source.prices.opened()

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (BudgetError, SQLAlchemyError, OSError) as error:
            log.warning("the price book could not be brought up to date: %s", error)
        except Exception:
            log.exception("the price book could not be brought up to date")

    # --- Building --------------------------------------------------------------------------------

    def _load(self) -> Shelved:
        with snapshot(self._database) as connection:
            stored = price_rows.read_stored(connection)
            prices = self._in_force(connection, stored)
        combined = Combined(
            Trusted(name, self.settings.trust[name], source, _closed(stored, name, source))
            for name, source in prices.items()
        )
        overrides = Overridden.of(stored.overrides)
        layers = (overrides, self._own) if not self.settings.own_first else (self._own, overrides)
        own = tuple(layer for layer in layers if layer is not None)
        capabilities = LaterCapabilities([source.prices for source in combined.sources])
        book = PriceBook(combined, own=own, capabilities=capabilities)
        return Shelved(stored, combined, book, own)

    def _in_force(self, connection: Connection, stored: Stored) -> dict[str, PriceSource]:
        """The prices in force by source, those that are in use already as they are."""
        found: dict[str, PriceSource] = {}
        for row in stored.sources:
            if row.basis is None or not self.settings.trust.get(row.source):
                continue
            prices = self._used.get(row.basis) or _in_force(connection, row.source, row.basis)
            if prices is not None:
                found[row.source] = prices
        if MAIN not in found:
            found[MAIN] = bundled_prices()
        self._used = {prices.basis: prices for prices in found.values()}
        return found


def _in_force(connection: Connection, source: str, basis: str) -> PriceSource | None:
    """A stored snapshot; None, and told to the log, if it is not there or cannot be read."""
    if source == MAIN and (installed := bundled_prices()).basis == basis:
        return installed
    stored = price_rows.read_snapshot(connection, basis)
    if stored is None:
        log.error("the snapshot %s is not in the database; its source says nothing", basis)
        return None
    if source != MAIN:
        return LaterPrices(stored)
    try:
        return read_snapshot(stored).prices
    except UNREADABLE as error:
        log.error("the snapshot %s cannot be read: %s", basis, error)
        return None


def _closed(stored: Stored, source: str, prices: PriceSource) -> dict[Key, list[Closed]]:
    """The closed prices of a source; those of genai-prices put right as its present ones are."""
    found: dict[Key, list[Closed]] = defaultdict(list)
    for row in stored.closed_of(source):
        schedule: Scheduled = decode_schedule(row.schedule)
        if source == MAIN:
            schedule = _put_right(schedule, row, prices)
        closed = Closed(schedule, row.from_us, row.until_us, row.reason, row.basis)
        found[row.key].append(closed)
    return found


def _put_right(schedule: Scheduled, row: ClosedRow, prices: PriceSource) -> Scheduled:
    from budget.prices.corrections import corrected

    provider, model, context = row.provider, row.model, context_of(row.context)
    return corrected(
        schedule, provider, model, context, lambda name: prices.schedule(provider, name, context)
    )


class Overridden(NamedTuple):
    """The prices that operators have set, as `OwnPrices`."""

    basis: str
    entries: Mapping[tuple[str | None, str], tuple[OwnEntry, ...]]

    @classmethod
    def of(cls, overrides: tuple[PriceOverride, ...]) -> "Overridden | None":
        """None where nothing was set."""
        names: dict[tuple[str | None, str], list[PriceOverride]] = defaultdict(list)
        for one in overrides:
            if one.until_us is None or one.from_us is None or one.from_us < one.until_us:
                names[one.provider, one.model].append(one)
        if not names:
            return None
        last = max(one.override_id for one in overrides)
        entries = {
            name: tuple(_entry(one) for one in sorted(held, key=rank, reverse=True))
            for name, held in names.items()
        }
        return cls(f"{OVERRIDE}/{len(overrides)}/{last[-12:]}", entries)

    def discounted(self, found: Scheduled, names: tuple[str, ...], context: Context) -> Scheduled:
        """Sources' prices stay as they are."""
        del names, context
        return found


def rank(override: PriceOverride) -> tuple[int, int, str]:
    """The most exact context counts, and of two in one context the one that was set later."""
    return len(context_of(override.context)), override.created_us, override.override_id


def _entry(override: PriceOverride) -> OwnEntry:
    piece = Piece(override.rates, override.from_us, None, override.until_us)
    schedule = Schedule((piece,))
    return OwnEntry(context_of(override.context), schedule, override.from_us, override.until_us)

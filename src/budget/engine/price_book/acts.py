"""Price acts: reading sources anew and applying what they say.

Reading and comparing happen beside the writer, which only writes what came out. Not here: what a
reading changes (`applying`), what is decided about it (`decisions`), the operator's own
prices (`overrides`).
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Connection, select

from budget.domain.answers_prices import (
    PriceReport,
    SourceUpdate,
)
from budget.domain.errors import BudgetError, Forbidden, InvalidInput
from budget.engine.batch import Batch
from budget.engine.callers import Caller, require_unbound
from budget.engine.job import Job
from budget.engine.ledger import Ledger
from budget.engine.price_book import reports as price_reports
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.applying import MAX_TOLD, Outdated, Plan, Reading, applying, planned
from budget.engine.price_book.reading import (
    Unchanged,
    bundled_reading,
    bundled_snapshot,
    feed_of,
    read_file,
    read_source,
)
from budget.engine.price_book.rows import Snapshot, SourceRow, Stored
from budget.engine.price_book.settings import known_source
from budget.engine.price_book.shelf import PriceShelf, Shelved
from budget.engine.snapshots import snapshot
from budget.engine.tickets import CatalogueChange
from budget.prices.changes import Listings, listings
from budget.prices.trust import MAIN
from budget.storage.database import Database
from budget.storage.schema import price_snapshots

if TYPE_CHECKING:
    from budget.engine.books import Books

T = TypeVar("T")

TRIES: Final = 5
MAX_ERROR_CHARS: Final = 500


def updating(
    books: "Books", sources: Sequence[str] | None, file: str | Path | None, caller: Caller
) -> Job[PriceReport]:
    """The job of `update_prices`."""
    check_manages(caller)
    shelf = books.shelf
    if sources is None:
        names = tuple(shelf.settings.sources)
    elif isinstance(sources, str) or not isinstance(sources, Sequence):
        raise InvalidInput("sources", "must be a list of names of sources.")
    else:
        names = tuple(dict.fromkeys(known_source(name, "sources") for name in sources))
    if file is not None and len(names) != 1:
        raise InvalidInput("sources", "must name the one source that the file is of.")
    if not names:
        raise InvalidInput(
            "sources", "is required: no source is configured. Name one, or set "
            "BUDGET_PRICE_SOURCES.",
        )  # fmt: skip
    if file is None:
        for name in names:
            _check_configured(shelf, name)
    path = None if file is None else Path(file)
    return Job(read=lambda: update(books, names, path, caller.actor))


def check_manages(caller: Caller) -> None:
    """Forbidden unless the caller may change prices, which are the same for all."""
    require_unbound(caller)
    if not caller.manage:
        raise Forbidden("This key may not change prices; use one with the right `manage`.")


def _check_configured(shelf: PriceShelf, name: str) -> None:
    if name not in shelf.settings.sources and name != MAIN:
        raise InvalidInput(
            "sources", f"{name} is not configured: add it to BUDGET_PRICE_SOURCES.",
            tuple(dict.fromkeys((MAIN, *shelf.settings.sources))),
        )  # fmt: skip


def update(books: "Books", names: Sequence[str], file: Path | None, actor: str) -> PriceReport:
    """Read these sources and apply them, one after the other; each in a transaction of its own."""
    at_us = books.database.now_us()
    told = tuple(_updated(books, name, file, actor) for name in names)
    books.shelf.load()
    return PriceReport(at_us, told)


def _updated(books: "Books", name: str, file: Path | None, actor: str) -> SourceUpdate:
    shelf = books.shelf
    with snapshot(books.database) as connection:
        row = price_rows.read_source(connection, name)
    try:
        reading = read_source(row, shelf.settings) if file is None else read_file(name, file)
        return apply(books.database, books.ledger, shelf, reading, actor)
    except Unchanged as unchanged:
        _note(books, row._replace(place=unchanged.place, error=None))
        return SourceUpdate(name, "unchanged", row.basis)
    except BudgetError as error:
        if file is None:
            with contextlib.suppress(BudgetError):
                _note(books, row._replace(error=error.detail[:MAX_ERROR_CHARS]))
        return SourceUpdate(name, "failed", row.basis, error=error.detail)


def _note(books: "Books", row: SourceRow) -> None:
    """Keep how a reading went that changed nothing."""

    def change(batch: Batch) -> None:
        rows = batch.unit.execute(price_rows.source_query(row.source))
        now = SourceRow(*rows[0]) if rows else SourceRow(row.source)
        told = now._replace(place=row.place, error=row.error, checked_us=batch.now_us)
        price_rows.put_source(batch.unit, told)

    do(books.ledger, change)


def do(ledger: Ledger, change: CatalogueChange) -> object:
    """Have the writer carry out a change, and wait."""
    return ledger.do_change(change)


def apply(
    database: Database, ledger: Ledger, shelf: PriceShelf, reading: Reading, actor: str,
    accepted: str | None = None,
) -> SourceUpdate:  # fmt: skip
    """Compare a reading with what is in force and write what follows, in one transaction.

    Unchanged if the same bytes are in force, or held, already.
    """
    new = listings(reading.feed.prices)

    def once(stored: Stored, connection: Connection) -> Plan:
        if accepted is None:
            _check_news(connection, stored, reading)
        old = _listings_in_force(connection, stored, reading.feed.source)
        return planned(stored, old, new, reading, database.now_us(), accepted)

    told, plan = _planned_again(database, ledger, once, lambda plan: applying(plan, actor))
    if not shelf.closing:
        _tell_conflicts(ledger, shelf.load(), plan, database.now_us())
    return told


def _tell_conflicts(ledger: Ledger, shelved: Shelved, plan: Plan, at_us: int) -> None:
    """Raise one alert if sources disagree about models whose prices were just read."""
    source = plan.snapshot.source
    names = {model.key[:2] for model in plan.models if model.what in ("added", "changed")}
    if plan.status == "first":
        (prices,) = (one.prices for one in shelved.combined.sources if one.name == source)
        names = {(provider.lower(), model.lower()) for provider, model in prices.models()}
    found = price_reports.conflicts(shelved, sorted(names), at_us)
    if not found:
        return
    detail = {"source": source, "basis": plan.snapshot.basis, "count": len(found),
              "models": found[:MAX_TOLD]}  # fmt: skip

    def change(batch: Batch) -> None:
        batch.alert_subject("price_conflict", source, detail)
        batch.write(())

    do(ledger, change)


def _planned_again(
    database: Database,
    ledger: Ledger,
    plan_of: Callable[[Stored, Connection], Plan],
    change_of: Callable[[Plan], Callable[[Batch], SourceUpdate]],
) -> tuple[SourceUpdate, Plan]:
    """Plan on one moment of the database and write; again if another process was quicker."""
    for attempt in range(TRIES):
        with snapshot(database) as connection:
            plan = plan_of(price_rows.read_stored(connection), connection)
        try:
            told = do(ledger, change_of(plan))
        except Outdated:
            if attempt == TRIES - 1:
                raise
            time.sleep(0.01 * 2**attempt)
            continue
        assert isinstance(told, SourceUpdate)
        return told, plan
    raise AssertionError("the last try returns or raises")


def _check_news(connection: Connection, stored: Stored, reading: Reading) -> None:
    """Unchanged if these bytes are in force; or if a feed says what is held or was turned down."""
    table = price_snapshots
    source = reading.feed.source
    same = connection.execute(
        select(table.c.basis, table.c.status)
        .where(table.c.source == source, table.c.sha256 == reading.feed.sha256)
        .order_by(table.c.taken_us.desc())
        .limit(1)
    ).one_or_none()
    if same is None:
        return
    decided = same.status != "applied" and reading.origin == "feed"
    if decided or same.basis == stored.source(source).basis:
        raise Unchanged(reading.place)


def _listings_in_force(connection: Connection, stored: Stored, source: str) -> Listings | None:
    basis = stored.source(source).basis
    if basis is None:
        return None
    held = price_rows.read_snapshot(connection, basis)
    return None if held is None else listings(feed_of(held).prices)


def keep_bundled(database: Database, ledger: Ledger, shelf: PriceShelf) -> None:
    """Store the prices that are installed, once for each version; apply those that are newer.

    Where a feed of the same source is in force they are only stored.
    """
    from budget.prices.bundled import bundled_prices

    basis = bundled_prices().basis
    stored = shelf.load().stored
    with snapshot(database) as connection:
        if price_rows.read_status(connection, basis) is not None:
            return
        current = stored.source(MAIN).basis
        origin = None if current is None else price_rows.read_origin(connection, current)
    if shelf.closing:
        return
    if origin == "bundled":
        with contextlib.suppress(Unchanged):  # another process was quicker
            apply(database, ledger, shelf, bundled_reading(), "budget")
    else:
        do(ledger, lambda batch: _store_bundled(batch, bundled_snapshot(), origin is None))


def _store_bundled(batch: Batch, kept: Snapshot, first: bool) -> None:
    """Store the installed prices, which are in force already if they are the first."""
    if price_rows.is_stored(batch.unit, kept.basis):
        return  # another process was quicker
    row = batch.unit.execute(price_rows.source_query(MAIN))
    first = first and (not row or row[0][1] is None)
    status = "applied" if first else "rejected"
    price_rows.add_snapshot(batch.unit, kept._replace(status=status, taken_us=batch.now_us))
    if first:
        told = SourceRow(MAIN, kept.basis, applied_us=batch.now_us)
        price_rows.put_source(batch.unit, told)
    batch.write(())

"""Price reports: what holds, what held, what each source says, and what changed.

Each reads the price book as the database has it at that moment. Not here: what a call costs
(`costing`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from budget.domain.answers_pages import Page
from budget.domain.answers_prices import (
    STATUSES,
    UPDATE_STATUSES,
    PriceComparison,
    PriceSourceView,
    PriceUpdate,
    PriceView,
    SourceFigure,
)
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.pricing import Rates
from budget.domain.windows import parse_rfc3339
from budget.engine.costing import NoPrice
from budget.engine.fields import price_context as parse_context
from budget.engine.pages import check_limit, read_page, text_cursor, texts_of
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.settings import INSTALLED, KNOWN, is_url
from budget.engine.price_book.shelf import OVERRIDE, PriceShelf, Shelved
from budget.engine.price_book.snapshots import read_snapshot
from budget.engine.snapshots import snapshot
from budget.outbound.guard import read_url
from budget.prices.book import MAX_NAME_CHARS, PriceBook
from budget.prices.combined import Combined, Trusted
from budget.prices.resolutions import why_unpriced
from budget.prices.schedules import ALWAYS_US, Context
from budget.prices.trust import MAIN
from budget.prices.verification import figures_of, source_of, status_of
from budget.storage.schema import price_snapshots, price_updates

if TYPE_CHECKING:
    from budget.engine.books import Books

OWN: Final = "own"


class Wanted(NamedTuple):
    """Which prices are asked for."""

    provider: str | None = None
    model: str | None = None
    search: str | None = None
    status: str | None = None


class WantedUpdates(NamedTuple):
    """Which updates are asked for."""

    status: str | None = None
    source: str | None = None
    provider: str | None = None
    model: str | None = None


# --- Now -----------------------------------------------------------------------------------------


def prices(books: "Books", asked: Wanted, limit: int, cursor: str | None) -> Page[PriceView]:
    """Every priced model as it stands now, by provider and model."""
    check_limit(limit)
    if asked.status is not None and asked.status not in STATUSES:
        raise InvalidInput("status", "is not a status of prices.", STATUSES)
    for field, value in asked._asdict().items():
        check_name(value, field)
    shelved = books.shelf.load()
    after = None if cursor is None else texts_of(cursor, 2)
    now_us = books.database.now_us()
    fits = _filter(asked, shelved.combined)
    found: list[PriceView] = []
    last = ("", "")
    names = _names(shelved)
    for name in names:
        if (after is not None and name <= after) or not fits(*name):
            continue
        view = _view(shelved, name[0] or None, name[1], (), now_us)
        if view is None or asked.status not in (None, view.status):
            continue
        its_name = (view.provider.lower(), view.model.lower())
        if its_name != name and its_name in names:
            continue  # one source's spelling of what another lists under its own name
        if len(found) == limit:
            return Page(found, text_cursor(last))
        found.append(view)
        last = name
    return Page(found)


def _filter(asked: Wanted, combined: Combined) -> Callable[[str, str], bool]:
    provider = (asked.provider or "").strip().lower()
    provider = combined.provider_id(provider) or provider if provider else ""
    model = (asked.model or "").strip().lower()
    search = (asked.search or "").strip().lower()

    def fits(seller: str, name: str) -> bool:
        if (provider and seller != provider) or (model and name != model):
            return False
        return search in f"{seller}/{name}"

    return fits


def _names(shelved: Shelved) -> dict[tuple[str, str], None]:
    """Every (provider, model) of sources and operators in lower case and order, '' for any one."""
    own = [layer.entries for layer in shelved.own]
    listed = {(provider.lower(), model.lower()) for provider, model in shelved.combined.models()}
    listed |= {(provider or "", model) for entries in own for provider, model in entries}
    return dict.fromkeys(sorted(listed))


def current(
    books: "Books",
    model: str,
    provider: str | None,
    at: str | None,
    price_context: Mapping[str, str] | None,
) -> PriceView:
    """The price of a model at an instant; NoPrice where none is known."""
    check_name(model, "model", required=True)
    check_name(provider, "provider")
    context = parse_context({"model": model, "price_context": price_context})
    at_us = books.database.now_us() if at is None else parse_rfc3339(at, "at")
    shelved = books.shelf.load()
    view = _view(shelved, provider, model, context, at_us)
    found = shelved.book.resolve(provider, model, at_us, context)
    if view is None:
        raise NoPrice(provider, model, why_unpriced(found))
    able = shelved.book.capabilities(view.provider or None, view.model)
    return view._replace(resolved=found.how, capabilities=able._asdict())


def _view(
    shelved: Shelved, provider: str | None, model: str, context: Context, at_us: int
) -> PriceView | None:
    rates, from_us, until_us = shelved.book.period(provider, model, at_us, context)
    if rates is not None and provider is None and rates.provider:
        # Who names no provider pays what an operator has set for the one that the model has.
        named = shelved.book.period(rates.provider, model, at_us, context)
        rates, from_us, until_us = named if named[0] is not None else (rates, from_us, until_us)
    if rates is None:
        return None
    names = _spellings(provider, model, rates)
    figures = figures_of(shelved.combined, rates, names, at_us)
    source = source_of(rates)
    return PriceView(
        rates.provider or provider or "", rates.model or model, rates.context, at_us,
        None if from_us == ALWAYS_US[0] else from_us,
        None if until_us == ALWAYS_US[1] else until_us,
        rates, source, status_of(figures) if source in KNOWN else OWN,
        _flags(shelved, rates, source), figures,
    )  # fmt: skip


def _spellings(provider: str | None, model: str, rates: Rates) -> list[tuple[str, str]]:
    """The names a model may have with each source: as it is priced, and as it was asked for."""
    seller = rates.provider or provider or ""
    bare = model.partition("/")[2] or model
    return [(seller, rates.model or model), (seller, model), (seller, bare)]


def _flags(shelved: Shelved, rates: Rates, source: str) -> tuple[str, ...]:
    for trusted in shelved.combined.sources:
        if trusted.name == source:
            reason = trusted.kept(rates)
            return () if reason is None else (reason,)
    return ()


def conflicts(shelved: Shelved, names: Iterable[tuple[str, str]], at_us: int) -> list[str]:
    """Those of these models about whose prices sources disagree, as `provider/model`."""
    found: dict[str, None] = {}
    for provider, model in names:
        view = _view(shelved, provider, model, (), at_us)
        if view is not None and view.status == "conflict":
            found[f"{view.provider}/{view.model}"] = None
    return list(found)


def statuses(books: "Books", at_us: int) -> Callable[[str | None, str], str] | None:
    """How far the price of a priced model is verified; None where nobody can know."""
    if not books.shelved:
        return None
    shelved = books.shelf.load()

    def status(provider: str | None, model: str) -> str:
        view = _view(shelved, provider, model, (), at_us)
        return "unverified" if view is None else view.status

    return status


def book_of(books: "Books", basis: str) -> PriceBook:
    """The price book with a snapshot, by its basis, in place of all that its source says and said.

    What operators have set holds in it too. NotFound if there is no such snapshot.
    """
    shelved = books.shelf.load()
    check_name(basis, "basis", required=True)
    with snapshot(books.database) as connection:
        stored = price_rows.read_snapshot(connection, basis)
    if stored is None:
        raise NotFound("snapshot", basis)
    prices = read_snapshot(stored).prices
    others = [one for one in shelved.combined.sources if one.name != stored.source]
    trust = books.shelf.settings.trust[stored.source]
    return PriceBook(
        Combined([Trusted(stored.source, trust, prices, {}), *others]), own=shelved.own
    )


def compare(books: "Books", model: str, provider: str | None) -> PriceComparison:
    """What each source says of a model now, side by side."""
    check_name(model, "model", required=True)
    check_name(provider, "provider")
    shelved = books.shelf.load()
    now_us = books.database.now_us()
    view = _view(shelved, provider, model, (), now_us)
    if view is not None:
        return PriceComparison(now_us, view.provider, view.model, view, view.figures)
    found = _figures_without_price(shelved.combined, provider, model, now_us)
    if not found:
        why = why_unpriced(shelved.book.resolve(provider, model, now_us))
        raise NoPrice(provider, model, why)
    return PriceComparison(now_us, found[0].provider, found[0].model, None, found)


def _figures_without_price(
    combined: Combined, provider: str | None, model: str, at_us: int
) -> tuple[SourceFigure, ...]:
    found = []
    for source in combined.sources:
        schedule = source.schedule(provider, model)
        rates = None if schedule is None else schedule.at(at_us)[0]
        if rates is not None:
            found.append(
                SourceFigure(
                    source.name, source.trust, rates.provider, rates.model, rates, None, None, None
                )
            )
    return tuple(found)


# --- Sources and updates -------------------------------------------------------------------------


def sources(books: "Books") -> list[PriceSourceView]:
    """Every source of prices, in the order of trust."""
    shelf = books.shelf
    settings = shelf.settings
    table, waiting = price_snapshots, price_updates
    with snapshot(books.database) as connection:
        stored = price_rows.read_sources(connection)
        snapshots = {
            row.basis: row
            for row in connection.execute(
                select(table.c.basis, table.c.version, table.c.models, table.c.taken_us).where(
                    table.c.basis.in_([row.basis for row in stored.values() if row.basis])
                )
            )
        }
        held: dict[str, str] = dict(
            connection.execute(
                select(table.c.source, table.c.basis)
                .where(table.c.status == "quarantined")
                .order_by(table.c.taken_us, table.c.basis)  # the newest of each stays
            ).all()
        )  # fmt: skip
        counts: dict[str, int] = dict(
            connection.execute(
                select(waiting.c.source, func.count())
                .where(waiting.c.status == "quarantined")
                .group_by(waiting.c.source)
            ).all()
        )  # fmt: skip
    found = []
    for name in sorted(KNOWN, key=lambda name: (-settings.trust[name], name)):
        row = stored.get(name)
        basis = None if row is None else row.basis
        told = None if basis is None else snapshots.get(basis)
        found.append(
            PriceSourceView(
                name, settings.trust[name], _place(shelf, name), basis,
                told and told.version, told.models if told else 0, told and told.taken_us,
                row and row.checked_us, row and row.applied_us, row and row.error,
                counts.get(name, 0), held.get(name),
            )
        )  # fmt: skip
        if name == MAIN and basis is None:
            found[-1] = _installed(found[-1])
    return found


def _installed(view: PriceSourceView) -> PriceSourceView:
    """The prices that are installed, which are in force though they are not stored yet."""
    from budget.prices.bundled import bundled_prices, bundled_version

    prices = bundled_prices()
    models = {(provider.lower(), model.lower()) for provider, model in prices.models()}
    return view._replace(basis=prices.basis, version=bundled_version(), models=len(models))


def _place(shelf: PriceShelf, name: str) -> str | None:
    """Where a source is read; of a URL the origin only, for the rest may hold a secret."""
    configured = shelf.settings.sources
    if name not in configured:
        return INSTALLED if name == MAIN else None
    place = configured[name]
    if place is None:
        from budget.prices.sources import ADAPTERS

        place = ADAPTERS[name].url
    if not is_url(place):
        return place
    site = read_url(place)
    return f"{site.scheme}://{site.host_header}"


def updates(
    books: "Books", asked: WantedUpdates, limit: int, cursor: str | None
) -> Page[PriceUpdate]:
    """Changes of prices, newest first."""
    check_limit(limit)
    if asked.status is not None and asked.status not in UPDATE_STATUSES:
        raise InvalidInput("status", "is not a status of updates.", UPDATE_STATUSES)
    if asked.source is not None and asked.source not in (*KNOWN, OVERRIDE):
        raise InvalidInput("source", "is not a source of prices.", (*KNOWN, OVERRIDE))
    for field, value in asked._asdict().items():
        check_name(value, field)
    table = price_updates
    wanted = select(table)
    for field, value in asked._asdict().items():
        if value is not None:
            wanted = wanted.where(table.c[field] == value.strip().lower())
    with snapshot(books.database) as connection:
        rows, after = read_page(connection, wanted, [table.c.id], limit=limit, cursor=cursor)
    return Page([PriceUpdate(*row.values()) for row in rows], after)


def check_name(value: object, field: str, *, required: bool = False) -> None:
    if value is None and not required:
        return
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_NAME_CHARS:
        raise InvalidInput(field, f"must be text of 1 to {MAX_NAME_CHARS} characters.")
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInput(field, "must not contain NUL or lone surrogates.")

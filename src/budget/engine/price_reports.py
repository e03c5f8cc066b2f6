"""Price reports: what holds, what held, what each source says, and what changed.

Each reads the price book as the database has it at that moment. Not here: what a call costs
(`costing`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from budget.domain.answers_prices import (
    STATUSES,
    UPDATE_STATUSES,
    PriceComparison,
    PricePeriod,
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
from budget.engine.pages import Page, check_limit, read_page, text_cursor, texts_of
from budget.engine.price_settings import INSTALLED, KNOWN, is_url, known_source
from budget.engine.price_shelf import OVERRIDE, Overridden, PriceShelf, Shelved
from budget.engine.snapshots import snapshot
from budget.prices.book import ALWAYS_US, MAX_NAME_CHARS, Context, Piece, Schedule, Scheduled
from budget.prices.combined import Combined, Trusted, context_of, context_text, key_of
from budget.prices.guard import read_url
from budget.prices.verification import MAIN, figures_of, source_of, status_of
from budget.storage.schema import price_snapshots, price_updates

if TYPE_CHECKING:
    from budget.engine.books import Books

OWN: Final = "own"
CONTEXTS: Final = (
    "processing=batch", "service_tier=flex", "service_tier=priority", "speed=fast",
)  # fmt: skip
"""Contexts that a history shows beside the usual one, where a model has prices of its own there."""


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
        _check_name(value, field)
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
    _check_name(model, "model", required=True)
    _check_name(provider, "provider")
    context = parse_context({"model": model, "price_context": price_context})
    at_us = books.database.now_us() if at is None else parse_rfc3339(at, "at")
    view = _view(books.shelf.load(), provider, model, context, at_us)
    if view is None:
        raise NoPrice(provider, model)
    return view


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


def status(shelf: PriceShelf, provider: str | None, model: str, at_us: int) -> str | None:
    """How far the price of a model is verified, by what was loaded last; None: no price."""
    view = _view(shelf.shelved, provider, model, (), at_us)
    return None if view is None else view.status


def compare(books: "Books", model: str, provider: str | None) -> PriceComparison:
    """What each source says of a model now, side by side."""
    _check_name(model, "model", required=True)
    _check_name(provider, "provider")
    shelved = books.shelf.load()
    now_us = books.database.now_us()
    view = _view(shelved, provider, model, (), now_us)
    if view is not None:
        return PriceComparison(now_us, view.provider, view.model, view, view.figures)
    found = _figures_without_price(shelved.combined, provider, model, now_us)
    if not found:
        raise NotFound("price", model, f"No source knows the model {model!r}.")
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


# --- Over time -----------------------------------------------------------------------------------


def history(books: "Books", provider: str, model: str) -> list[PricePeriod]:
    """Every price a model had, has and will have: those set by operators, then the source's."""
    _check_name(provider, "provider", required=True)
    _check_name(model, "model", required=True)
    shelved = books.shelf.load()
    seller = shelved.combined.provider_id(provider.strip()) or provider.strip().lower()
    name = model.strip().lower()
    periods = [*_overridden(shelved, seller, name), *_own_file(shelved, seller, name)]
    for source in shelved.combined.sources:
        said = list(_said(source, seller, name))
        if said:
            periods += said
            break
    if not periods:
        raise NotFound("price", model, f"No price of {model!r} from {provider!r} is known.")
    return sorted(periods, key=_newest, reverse=True)


def _newest(period: PricePeriod) -> tuple[bool, int, int]:
    own = period.kind in (OVERRIDE, OWN)
    starts_us = ALWAYS_US[0] if period.from_us is None else period.from_us
    return own, starts_us, ALWAYS_US[1] if period.until_us is None else period.until_us


def _overridden(shelved: Shelved, provider: str, model: str) -> Iterator[PricePeriod]:
    for one in shelved.stored.overrides:
        if one.model == model and one.provider in (None, provider):
            yield PricePeriod(
                one.provider or provider, model, one.context, one.from_us, one.until_us, None,
                one.rates, OVERRIDE, OVERRIDE, one.override_id, one.reason,
            )  # fmt: skip


def _own_file(shelved: Shelved, provider: str, model: str) -> Iterator[PricePeriod]:
    layers = [layer for layer in shelved.own if not isinstance(layer, Overridden)]
    for layer in layers:
        for key in ((provider, model), (None, model)):
            for entry in layer.entries.get(key, ()):
                if isinstance(entry.schedule, Schedule):
                    context = context_text(entry.context)
                    yield from _pieces(entry.schedule, provider, model, context, OWN, OWN)


def _said(source: Trusted, provider: str, model: str) -> Iterator[PricePeriod]:
    """What a source says of a model, and said before, in each context that it is known in."""
    names = [(provider, model)]
    usual = source.prices.schedule(provider, model)
    key = None if usual is None else key_of(usual)
    if key is not None:
        names.append(key[:2])
    kept: dict[str, int | None] = {}
    for seller, name in dict.fromkeys(names):
        for context, closed in source.closed(seller, name):
            kept[context] = closed.until_us
            yield from _pieces(
                closed.schedule, seller, name, context, source.name, "closed",
                closed.from_us, closed.until_us, closed.reason,
            )  # fmt: skip
    for context in dict.fromkeys(("", *kept, *CONTEXTS)):
        found = source.prices.schedule(provider, model, context_of(context))
        own_of_context = found is not None and (key_of(found) or ("", "", ""))[2] == context
        if found is None or not own_of_context or (context in kept and kept[context] is None):
            continue
        yield from _pieces(
            found, provider, model, context, source.name, "listed", kept.get(context)
        )


def _pieces(
    schedule: Scheduled, provider: str, model: str, context: str, source: str, kind: str,
    from_us: int | None = None, until_us: int | None = None, reason: str | None = None,
) -> Iterator[PricePeriod]:  # fmt: skip
    """The pieces of a schedule that hold within [from_us, until_us), each with its own end."""
    listed: tuple[Piece, ...] = getattr(schedule, "pieces", ())
    low = ALWAYS_US[0] if from_us is None else from_us
    high = ALWAYS_US[1] if until_us is None else until_us
    for at, piece in enumerate(listed):
        starts_us = max(low, ALWAYS_US[0] if piece.start_us is None else piece.start_us)
        ends_us = min(high, _end_us(piece, listed[at + 1 :]))
        if starts_us < ends_us:
            yield PricePeriod(
                (piece.rates and piece.rates.provider) or provider,
                (piece.rates and piece.rates.model) or model,
                context,
                None if starts_us == ALWAYS_US[0] else starts_us,
                None if ends_us == ALWAYS_US[1] else ends_us,
                piece.daily_us, piece.rates,
                source if piece.rates is None else source_of(piece.rates),
                kind, None, reason,
            )  # fmt: skip


def _end_us(piece: Piece, later: tuple[Piece, ...]) -> int:
    """When a piece ends: where it says so, or one that holds for good takes its place."""
    overtakers = [
        ALWAYS_US[0] if other.start_us is None else other.start_us
        for other in later
        if other.daily_us is None and other.end_us is None
    ]
    return min([ALWAYS_US[1] if piece.end_us is None else piece.end_us, *overtakers])


# --- Sources and updates -------------------------------------------------------------------------


def sources(books: "Books") -> list[PriceSourceView]:
    """Every source of prices, in the order of trust."""
    shelf = books.shelf
    settings = shelf.settings
    table, waiting = price_snapshots, price_updates
    with snapshot(books.database) as connection:
        stored = {row.source: row for row in shelf.load().stored.sources}
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
                select(table.c.source, func.max(table.c.basis))
                .where(table.c.status == "quarantined")
                .group_by(table.c.source)
            ).tuples().all()
        )  # fmt: skip
        counts: dict[str, int] = dict(
            connection.execute(
                select(waiting.c.source, func.count())
                .where(waiting.c.status == "quarantined")
                .group_by(waiting.c.source)
            ).tuples().all()
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
    return found


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
    if asked.source not in (None, OVERRIDE):
        known_source(asked.source, "source")
    for field, value in asked._asdict().items():
        _check_name(value, field)
    table = price_updates
    wanted = select(table)
    for field, value in asked._asdict().items():
        if value is not None:
            wanted = wanted.where(table.c[field] == value.strip().lower())
    with snapshot(books.database) as connection:
        rows, after = read_page(connection, wanted, [table.c.id], limit=limit, cursor=cursor)
    return Page([PriceUpdate(*row.values()) for row in rows], after)


def _check_name(value: object, field: str, *, required: bool = False) -> None:
    if value is None and not required:
        return
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_NAME_CHARS:
        raise InvalidInput(field, f"must be text of 1 to {MAX_NAME_CHARS} characters.")
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInput(field, "must not contain NUL or lone surrogates.")

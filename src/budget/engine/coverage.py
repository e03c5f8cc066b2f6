"""Coverage: how much of what was seen has a price now, and how sure that price is.

Read from the rollups, so a month costs as much as its hours and days have series, however many
calls. Not here: what makes a price sure (`prices.verification`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, func, or_, select

from budget.domain.answers_prices import STATUSES
from budget.domain.answers_rating import UNPRICED, Coverage, Seen, SeenModel
from budget.domain.budgets import BPS
from budget.domain.rights import UNBOUND, Bound
from budget.engine.books import Books
from budget.engine.past import span
from budget.engine.price_book.reports import statuses
from budget.engine.reports.filters import Calls
from budget.engine.reports.usage import value_of
from budget.engine.rows import DAY_US, HOUR_US
from budget.engine.snapshots import snapshot
from budget.engine.summing import COST, SIGN, UNPRICED_ONE, Sums, rolled_up_value
from budget.prices.book import PriceBook
from budget.storage import schema

MAX_UNCOVERED: Final = 1000
SURE: Final = frozenset({"verified", "own"})
KINDS: Final = ("models", "calls", "tokens", "cost")
"""What shares are told of."""

StatusOf = Callable[[str | None, str], str]
"""(provider, model) of a priced model -> how sure its price is: one of `STATUSES`."""

_u, _r, _s = schema.usage.c, schema.rollups.c, schema.series.c


def coverage(
    books: Books,
    ask: Mapping[str, Any],
    status_of: StatusOf | None = None,
    bound: Bound = UNBOUND,
) -> Coverage:
    """What was seen from the hour of `since` to that of `until` (the last 30 days unless given).

    Whoever is bound to attributes is told of its own calls. `status_of` tells how sure a price is;
    without it the database's sources do.
    """
    now_us = books.database.now_us()
    since_us, until_us = span(ask, now_us)
    since_us -= since_us % HOUR_US
    until_us += -until_us % HOUR_US
    known = status_of or statuses(books, now_us)  # first: it looks for a newer book
    book = books.prices
    status_of = known or unverified(book, now_us)
    with snapshot(books.database) as connection:
        seen = [
            _seen_model(row, book, now_us, status_of)
            for row in _read(connection, since_us, until_us, bound)
        ]
    by_status = {
        status: _sum(one for one in seen if one.status == status)
        for status in (*STATUSES, UNPRICED)
    }
    return Coverage(
        since_us=since_us,
        until_us=until_us,
        basis=book.basis,
        total=_sum(iter(seen)),
        by_status=by_status,
        without_cost=sum(one.without_cost for one in seen),
        uncovered=_uncovered(seen),
    )


def unverified(book: PriceBook, at_us: int) -> StatusOf:
    """The status of prices of which nothing more is known than whose they are."""

    def status_of(provider: str | None, model: str) -> str:
        rates = book.lookup(provider, model, at_us)
        source = "" if rates is None else rates.basis.partition("/")[0]
        return "own" if source in ("own", "override", "overrides") else "unverified"

    return status_of


class Share(NamedTuple):
    """How much of the models, calls, tokens or cost seen has a status, in basis points of all."""

    of: str
    status: str
    bps: int


def shares(found: Coverage) -> Iterator[Share]:
    """Every share, as a gauge shows them: in basis points, cut, so that 10,000 is truly all.

    Of nothing every share is 0.
    """
    for status, seen in found.by_status.items():
        for kind, part, whole in zip(KINDS, seen, found.total, strict=True):
            yield Share(kind, status, part * BPS // whole if whole > 0 else 0)


def _read(connection: Connection, since_us: int, until_us: int, bound: Bound) -> Iterator[Any]:
    """Sums by (provider, model), and when each was last seen."""
    sums = Sums(connection, Calls((), bound))
    if sums.rolled_up():
        summed = _of_rollups(since_us, until_us).where(sums.meets(rolled_up_value))
    else:
        dialect = connection.dialect.name
        meets = sums.meets(lambda key: value_of(key, dialect))
        summed = _of_records(since_us, until_us).where(meets)
    return iter(connection.execute(summed))


def _of_rollups(since_us: int, until_us: int) -> Select[Any]:
    """Of whole UTC days from their rollups, of the rest by the hour."""
    first_us, last_us = since_us + -since_us % DAY_US, until_us - until_us % DAY_US
    hours = and_(_r.grain == "hour", _r.start_us >= since_us, _r.start_us < until_us)
    within = hours
    if first_us < last_us:
        edges = or_(_r.start_us < first_us, _r.start_us >= last_us)
        days = and_(_r.grain == "day", _r.start_us >= first_us, _r.start_us < last_us)
        within = or_(and_(hours, edges), days)
    return (
        select(
            _s.provider, _s.model, func.sum(_r.requests),
            func.sum(_r.input_tokens + _r.output_tokens), func.sum(_r.cost_nanos),
            func.sum(_r.unpriced), func.max(_r.start_us),
        )
        .join(schema.series, _s.id == _r.series_id)
        .where(within)
        .group_by(_s.provider, _s.model)
        .having(func.sum(_r.records) > 0)  # else all were reversed
    )  # fmt: skip


def _of_records(since_us: int, until_us: int) -> Select[Any]:
    """The same of the records, for callers whose attributes are in no rollup."""
    return (
        select(
            _u.provider, _u.model, func.sum(_u.requests),
            func.sum(_u.input_tokens + _u.output_tokens), func.sum(COST), func.sum(UNPRICED_ONE),
            func.max(_u.occurred_us),
        )
        .where(_u.occurred_us >= since_us, _u.occurred_us < until_us)
        .group_by(_u.provider, _u.model)
        .having(func.sum(SIGN) > 0)
    )  # fmt: skip


def _seen_model(row: Any, book: PriceBook, now_us: int, status_of: StatusOf) -> SeenModel:
    provider, model, calls, tokens, cost_nanos, without_cost, last_us = row
    provider, model = provider or None, model or None
    status = UNPRICED
    if model is not None and book.lookup(provider, model, now_us) is not None:
        status = status_of(provider, model)
    return SeenModel(
        provider, model, status, int(calls), int(tokens), int(cost_nanos), int(without_cost),
        last_us,
    )  # fmt: skip


def _sum(some: Iterator[SeenModel]) -> Seen:
    total = Seen()
    for one in some:
        total = Seen(
            total.models + 1,
            total.calls + one.calls,
            total.tokens + one.tokens,
            total.cost_nanos + one.cost_nanos,
        )
    return total


def _uncovered(seen: list[SeenModel]) -> tuple[SeenModel, ...]:
    unsure = [one for one in seen if one.status not in SURE]
    unsure.sort(
        key=lambda one: (
            one.status != UNPRICED, -one.calls, one.provider or "", one.model or "",
        )
    )  # fmt: skip
    return tuple(unsure[:MAX_UNCOVERED])

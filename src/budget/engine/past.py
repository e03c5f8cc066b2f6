"""The past: usage records of a time as they were booked, for who prices them again.

They are read page by page, so that a million of them need no more memory than a thousand. Records
that were reversed, and reversals, are left out: together they come to nothing. Not here: what is
done with them (`rerating`, `whatif`).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, exists, func, literal, select, tuple_

from budget.domain.attributes import Scope, parse_scope, parse_value, scope_matches
from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates, decode_rates
from budget.domain.rights import UNBOUND, Bound, covers
from budget.domain.usage import Usage
from budget.domain.windows import parse_rfc3339
from budget.engine import rows
from budget.engine.snapshots import snapshot
from budget.prices.combined import context_of
from budget.prices.schedules import Context
from budget.storage import schema
from budget.storage.database import Database

PAGE: Final = 2000
DEFAULT_SPAN_US: Final = 30 * rows.DAY_US

Progress = Callable[[int, int], None]
"""Told (records done, records in all) after each page."""

_u, _a = schema.usage.c, schema.allocations.c
_reversal = schema.usage.alias("reversal")
_PAST: Final = (
    select(
        _u.id, _u.entry_id, _u.occurred_us, _u.attributes, _u.provider, _u.model,
        _u.input_tokens, _u.output_tokens, _u.cache_read_tokens, _u.cache_write_tokens,
        _u.cache_write_1h_tokens, _u.reasoning_tokens, _u.requests, _u.units,
        _u.cost_nanos, _u.reported_cost_nanos, _u.rates, _u.price_context,
        _a.placed_us, _a.provider.label("held_provider"), _a.model.label("held_model"),
    )
    .select_from(schema.usage.outerjoin(schema.allocations, _a.id == _u.allocation_id))
    .where(_u.reverses.is_(None), ~exists().where(_reversal.c.reverses == _u.id))
)  # fmt: skip


class PastRecord(NamedTuple):
    """A usage record, and what its price depends on.

    `priced_us` is when its price was due: when its hold was placed, since a hold keeps its price;
    of usage that nobody reserved, or of another model than the hold's, when it occurred.
    """

    usage_id: str
    occurred_us: int
    priced_us: int
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    usage: Usage
    cost_nanos: int | None
    reported_cost_nanos: int | None
    rates: Rates | None
    price_context: str | None = None

    @property
    def context(self) -> Context:
        """What it asked for beside its model; or, if that was not kept, its rates do."""
        if self.price_context is not None:
            return _context_of(self.price_context)
        return () if self.rates is None else _context_of(self.rates.context)


class Wanted(NamedTuple):
    """Which records: those of [since, until), perhaps only of a model, a provider, a scope, and
    those that a caller may see who is bound to attributes.
    """

    since_us: int
    until_us: int
    provider: str | None = None
    model: str | None = None
    scope: Scope = ()
    bound: Bound = UNBOUND

    def has(self, record: PastRecord) -> bool:
        """Whether a record of that time is one of them."""
        if self.model is not None and not is_called(record, self.model):
            return False
        if self.provider is not None and self.provider not in _sellers(record):
            return False
        if not covers(self.bound, record.attributes):
            return False
        return not self.scope or scope_matches(self.scope, record.attributes)


def wanted(ask: Mapping[str, Any], now_us: int) -> Wanted:
    """The records that `since`, `until`, `model`, `provider` and `scope` ask for, checked.

    `until` is now unless given, `since` 30 days before it; both are RFC 3339 times.
    """
    since_us, until_us = span(ask, now_us)
    names = {
        name: parse_value(ask[name], name).lower()
        for name in ("provider", "model")
        if ask.get(name) is not None
    }
    return Wanted(
        since_us, until_us, names.get("provider"), names.get("model"), parse_scope(ask.get("scope"))
    )


def span(ask: Mapping[str, Any], now_us: int) -> tuple[int, int]:
    """The time [since, until) that an ask names: the 30 days up to now, unless it says so."""
    until = ask.get("until")
    until_us = now_us if until is None else parse_rfc3339(until, "until")
    since = ask.get("since")
    since_us = (
        max(0, until_us - DEFAULT_SPAN_US) if since is None else parse_rfc3339(since, "since")
    )
    if since_us >= until_us:
        raise InvalidInput("since", "must lie before until.")
    return since_us, until_us


def pages(
    database: Database, wanted: Wanted, progress: Progress | None = None
) -> Iterator[list[PastRecord]]:
    """The records that are wanted, by the time they occurred, some at a time.

    What is booked after the first page was asked for is not among them.
    """
    with snapshot(database) as connection:
        newest = connection.scalar(select(func.max(schema.entries.c.id))) or 0
        total = 0
        if progress is not None:
            in_time = and_(_u.occurred_us >= wanted.since_us, _u.occurred_us < wanted.until_us)
            counting = select(func.count()).select_from(schema.usage).where(in_time)
            total = connection.scalar(counting) or 0
            progress(0, total)
    statement = _PAST.where(_u.occurred_us < wanted.until_us, _u.entry_id <= newest)
    statement = statement.order_by(_u.occurred_us, _u.id).limit(PAGE)
    # The one bound from below is that of the page: beside another SQLite would seek by that.
    last: tuple[int, str] = (wanted.since_us, "")
    done = 0
    while True:
        after = statement.where(tuple_(_u.occurred_us, _u.id) > tuple_(*map(literal, last)))
        with snapshot(database) as connection:
            found = connection.execute(after).all()
        records = [record for record in map(_record, found) if wanted.has(record)]
        if records:
            yield records
        done += len(found)
        if progress is not None:
            progress(min(done, total), total)
        if len(found) < PAGE:
            return
        last = (found[-1].occurred_us, found[-1].id)


def _record(row: Any) -> PastRecord:
    (
        usage_id, _, occurred_us, attributes, provider, model,
        *counts, units, cost_nanos, reported, rates, price_context,
        placed_us, held_provider, held_model,
    ) = row  # fmt: skip
    held = placed_us is not None and (held_provider, held_model) == (provider, model)
    return PastRecord(
        usage_id,
        occurred_us,
        placed_us if held else occurred_us,
        rows.decode_attributes(attributes),
        provider,
        model,
        Usage._make((*counts, rows.units_from_json(units))),
        cost_nanos,
        reported,
        None if rates is None else decode_rates(rates),
        price_context,
    )


_context_of = lru_cache(maxsize=1024)(context_of)


# --- Names ---------------------------------------------------------------------------------------


def is_called(record: PastRecord, name: str) -> bool:
    """Whether a record's model goes by a name, in lower case: as called, with or without its
    provider, or by the name that its price was found under.
    """
    rates = record.rates
    priced_as = (None, None) if rates is None else (rates.provider, rates.model)
    return name in _names(record.provider, record.model, *priced_as)


@lru_cache(maxsize=4096)
def _names(
    provider: str | None, model: str | None, rated_by: str | None, rated_as: str | None
) -> frozenset[str]:
    names = set()
    for seller, name in ((provider, model), (rated_by, rated_as)):
        if name:
            names |= {name, name.partition("/")[2]}
            names |= {f"{seller}/{name}"} if seller else set()
    return frozenset(name.lower() for name in names if name)


def _sellers(record: PastRecord) -> frozenset[str]:
    rates = record.rates
    return _lower(record.provider, None if rates is None else rates.provider)


@lru_cache(maxsize=1024)
def _lower(*names: str | None) -> frozenset[str]:
    return frozenset(name.lower() for name in names if name)

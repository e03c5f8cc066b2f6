"""What if: what real history would have cost with models exchanged. Nothing is booked.

Token counts are taken over as they are, though another model's tokenizer would count otherwise.
Not here: reading the records (`past`), and which models would be a good choice (`prices.cheaper`).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from budget.domain.answers_rating import DayTotal, Exchange, WhatIf
from budget.domain.asks_prices import WhatIfAsk
from budget.domain.attributes import parse_value
from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates, cost_nanos, unpriced_units
from budget.domain.rights import UNBOUND, Bound
from budget.engine import rows
from budget.engine.costing import NoPrice
from budget.engine.fields import only_fields, parse_flag
from budget.engine.past import PastRecord, Progress, Wanted, is_called, pages, wanted
from budget.prices.book import PriceBook
from budget.prices.listings import Capabilities
from budget.prices.resolutions import why_unpriced
from budget.storage.database import Database

MAX_EXCHANGES: Final = 50

_FIELDS: Final = frozenset(WhatIfAsk.__annotations__)


class Asked(NamedTuple):
    """Which records, which model instead of which, and whether at the prices of now."""

    wanted: Wanted
    models: Mapping[str, str]
    at_us: int | None
    """The instant whose prices count for all; None: each record's own."""


def parse_what_if(ask: Mapping[str, Any], now_us: int, bound: Bound = UNBOUND) -> Asked:
    """What a caller wrote, checked; it is about the calls that the caller may see."""
    only_fields(ask, _FIELDS)
    given = ask.get("models")
    if not isinstance(given, Mapping) or not given:
        raise InvalidInput("models", 'must name models to exchange, as in {"gpt-4o": "o3-mini"}.')
    if len(given) > MAX_EXCHANGES:
        raise InvalidInput("models", f"may exchange at most {MAX_EXCHANGES} models.")
    models: dict[str, str] = {}
    for model, instead in given.items():
        name = parse_value(model, "models")
        if name.lower() in models:
            raise InvalidInput("models", f"exchanges {name!r} twice.")
        models[name.lower()] = parse_value(instead, f"models.{name[:80]}")
    at_us = now_us if parse_flag(ask, "at_now") else None
    return Asked(wanted(ask, now_us)._replace(bound=bound), models, at_us)


def what_if(
    database: Database, book: PriceBook, asked: Asked, now_us: int, progress: Progress | None = None
) -> WhatIf:
    """Price the records of the models named as calls of the others; NoPrice names one without."""
    exchanges = {
        name: _exchanging(name, instead, book, now_us, asked)
        for name, instead in asked.models.items()
    }
    days: dict[int, list[int]] = {}
    others = others_nanos = 0
    for records in pages(database, asked.wanted, progress):
        for record in records:
            exchange = _named(exchanges, record)
            if exchange is None:
                others += 1
                others_nanos += record.cost_nanos or 0
                continue
            both = exchange.add(record, book, asked.at_us)
            if both is not None:
                day = days.setdefault(record.occurred_us // rows.DAY_US * rows.DAY_US, [0, 0, 0])
                for at, more in enumerate((1, *both)):
                    day[at] += more
    told = tuple(exchange.answer() for exchange in exchanges.values())
    return WhatIf(
        basis=book.basis,
        since_us=asked.wanted.since_us,
        until_us=asked.wanted.until_us,
        at_now=asked.at_us is not None,
        records=sum(one.records for one in told),
        unpriced=sum(one.unpriced for one in told),
        old_nanos=sum(one.old_nanos for one in told),
        new_nanos=sum(one.new_nanos for one in told),
        others=others,
        others_nanos=others_nanos,
        exchanges=told,
        days=tuple(DayTotal(day_us, *days[day_us]) for day_us in sorted(days)),
    )


class _Exchanging:
    """What the records of one model come to so far, beside those of the one instead."""

    def __init__(self, model: str, instead: str, rates: Rates, can: Capabilities) -> None:
        self._model = model
        self._instead = instead
        self._rates = rates
        self._can = can
        self._records = self._unpriced = self._old_nanos = self._new_nanos = 0
        self._too_long = self._too_much = self._retired = 0
        self._unpriced_units: set[str] = set()

    def add(self, record: PastRecord, book: PriceBook, at_us: int | None) -> tuple[int, int] | None:
        """Count a record: what it costs and would cost; None where either is not known."""
        self._records += 1
        self._see_whether_it_fits(record)
        priced_us = record.priced_us if at_us is None else at_us
        look_up = partial(book.lookup, at_us=priced_us, context=record.context)
        old_nanos = record.cost_nanos
        if (at_us is not None or old_nanos is None) and record.model is not None:
            own = look_up(record.provider, record.model)
            old_nanos = None if own is None else cost_nanos(own, record.usage)
        rates = look_up(None, self._instead)
        if rates is None or old_nanos is None:
            self._unpriced += 1
            return None
        new_nanos = cost_nanos(rates, record.usage)
        self._unpriced_units.update(unpriced_units(rates, record.usage.units))
        self._old_nanos += old_nanos
        self._new_nanos += new_nanos
        return old_nanos, new_nanos

    def _see_whether_it_fits(self, record: PastRecord) -> None:
        can, usage = self._can, record.usage
        if can.context_window is not None:
            self._too_long += usage.input_tokens + usage.output_tokens > can.context_window
        if can.max_output_tokens is not None:
            self._too_much += usage.output_tokens > can.max_output_tokens
        if can.retired_us is not None:
            self._retired += record.occurred_us >= can.retired_us

    def answer(self) -> Exchange:
        """What was found."""
        return Exchange(
            self._model, self._instead, self._rates.provider, self._rates.model,
            self._records, self._unpriced, self._old_nanos, self._new_nanos,
            self._can.context_window, self._too_long, self._can.max_output_tokens, self._too_much,
            self._retired, tuple(sorted(self._unpriced_units)),
        )  # fmt: skip


def _exchanging(
    model: str, instead: str, book: PriceBook, now_us: int, asked: Asked
) -> _Exchanging:
    """An exchange for a model that has a price: now, or at either end of the time asked for."""
    for at_us in (now_us, asked.wanted.until_us - 1, asked.wanted.since_us):
        rates = book.lookup(None, instead, at_us)
        if rates is not None:
            can = book.capabilities(rates.provider or None, rates.model or instead)
            return _Exchanging(model, instead, rates, can)
    raise NoPrice(None, instead, why_unpriced(book.resolve(None, instead, now_us)))


def _named(exchanges: Mapping[str, _Exchanging], record: PastRecord) -> _Exchanging | None:
    """The exchange that a record's model is named in, the first if several do."""
    names: Iterable[str] = exchanges
    return next((exchanges[name] for name in names if is_called(record, name)), None)

"""Summing: figures of usage in a span of time, from rollups where they have what is asked for.

Whole UTC days and hours are read from their rollups, the edges from usage records, so the figures
are those of the records to the microsecond, in any zone. What rollups do not have (session, task,
tags) is read from records alone. Not here: what is asked for (`summaries`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from budget.domain.answers_usage import Figures
from budget.domain.attributes import ROLLED_UP, Condition
from budget.domain.windows import Window
from budget.engine.reports.filters import FOLDED, Calls, ValueOf, meets
from budget.engine.reports.usage import value_of
from budget.engine.rows import DAY_US, HOUR_US
from budget.storage import schema

_u, _r, _s = schema.usage.c, schema.rollups.c, schema.series.c
SIGN: Final = case((_u.reverses.is_(None), 1), else_=-1)
"""How often a record counts: a reversal takes away."""
COST: Final = func.coalesce(_u.cost_nanos, 0)
UNPRICED_ONE: Final = case((_u.cost_nanos.is_(None), SIGN), else_=0)
_OF_RECORDS: Final[Sequence[Any]] = (
    SIGN, _u.requests, _u.input_tokens, _u.output_tokens, _u.cache_read_tokens,
    _u.cache_write_tokens + _u.cache_write_1h_tokens, _u.reasoning_tokens,
    COST, UNPRICED_ONE,
)  # fmt: skip
_OF_ROLLUPS: Final[Sequence[Any]] = tuple(_r[name] for name in Figures._fields)


class Part(NamedTuple):
    """A part of a span, and where its figures lie: `hour` and `day` rollups, or records."""

    grain: str
    start_us: int
    end_us: int


def parts_of(window: Window, rolled_up: bool) -> list[Part]:
    """The span in as few parts as there can be."""
    since_us, until_us = window
    hour_us, last_hour_us = since_us + -since_us % HOUR_US, until_us - until_us % HOUR_US
    if not rolled_up or hour_us >= last_hour_us:
        return [Part("records", since_us, until_us)]
    day_us, last_day_us = hour_us + -hour_us % DAY_US, last_hour_us - last_hour_us % DAY_US
    if day_us >= last_day_us:
        day_us = last_day_us = last_hour_us
    parts = [
        Part("records", since_us, hour_us),
        Part("hour", hour_us, day_us),
        Part("day", day_us, last_day_us),
        Part("hour", last_day_us, last_hour_us),
        Part("records", last_hour_us, until_us),
    ]
    return [part for part in parts if part.start_us < part.end_us]


def rolled_up_value(key: str) -> ColumnElement[str]:
    """An attribute of a series in SQL, NULL where it is missing."""
    return func.nullif(_s[key], literal(""))


class Sums:
    """Sums of the usage of some calls, in one snapshot."""

    def __init__(self, connection: Connection, calls: Calls) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._wanted = calls.conditions
        # The few names that there are, which compare in ways that SQL does not know.
        self._names = {
            key: self._read_names(key) for key in {one.key for one in self._wanted} & FOLDED
        }
        # Spans differ in their bounds only, and a report asks of hundreds of them: to make a
        # statement anew costs four times what reading it does.
        self._statements: dict[tuple[Any, ...], Select[Any]] = {}

    def total(self, window: Window) -> Figures:
        """What all of it adds up to."""
        found = list(self._rows(window, (), None))
        return found[0][1] if found else Figures()

    def by(
        self, keys: Sequence[str], window: Window, most: int | None = None
    ) -> Iterable[tuple[tuple[str, ...], Figures]]:
        """The same for each combination of attributes, the dearest first; "" where one is missing.

        Those that come to nothing are left out.
        """
        return self._rows(window, tuple(keys), most)

    def _rows(
        self, window: Window, keys: tuple[str, ...], most: int | None
    ) -> Iterable[tuple[tuple[str, ...], Figures]]:
        parts = parts_of(window, self.rolled_up(keys))
        asked = (tuple(part.grain for part in parts), keys, most)
        statement = self._statements.get(asked)
        if statement is None:
            statement = self._statements[asked] = self._statement(*asked)
        bounds: dict[str, int] = {}
        for n, part in enumerate(parts):
            bounds |= {f"start_{n}_us": part.start_us, f"end_{n}_us": part.end_us}
        for row in self._connection.execute(statement, bounds):
            figures = Figures._make(int(value or 0) for value in row[len(keys) :])
            yield tuple(row[: len(keys)]), figures

    def _statement(
        self, grains: tuple[str, ...], keys: tuple[str, ...], most: int | None
    ) -> Select[Any]:
        """The sums of parts with these grains; their bounds are parameters."""
        read = union_all(*(self._part(n, one, keys) for n, one in enumerate(grains))).subquery()
        names = [read.c[f"key_{n}"] for n in range(len(keys))]
        sums = [func.sum(read.c[name]).label(name) for name in Figures._fields]
        statement: Select[Any] = select(*names, *sums)
        if keys:
            any_left = or_(*(one != 0 for one in sums))
            by_cost = sums[Figures._fields.index("cost_nanos")].desc()
            statement = statement.group_by(*names).having(any_left).order_by(by_cost, *names)
        return statement if most is None else statement.limit(most)

    def _part(self, n: int, grain: str, keys: tuple[str, ...]) -> Select[Any]:
        start_us: BindParameter[int] = bindparam(f"start_{n}_us")
        end_us: BindParameter[int] = bindparam(f"end_{n}_us")
        if grain == "records":
            return self._summed(keys, _OF_RECORDS, lambda key: value_of(key, self._dialect)).where(
                _u.occurred_us >= start_us, _u.occurred_us < end_us
            )
        return (
            self._summed(keys, _OF_ROLLUPS, rolled_up_value)
            .select_from(schema.rollups.join(schema.series, _s.id == _r.series_id))
            .where(_r.grain == grain, _r.start_us >= start_us, _r.start_us < end_us)
        )

    def _summed(self, keys: tuple[str, ...], figures: Sequence[Any], value: ValueOf) -> Select[Any]:
        named: list[Any] = [
            func.coalesce(value(key), "").label(f"key_{n}") for n, key in enumerate(keys)
        ]
        summed = [
            func.sum(one).label(name) for one, name in zip(figures, Figures._fields, strict=True)
        ]
        statement = select(*named, *summed).where(self.meets(value))
        return statement.group_by(*named) if named else statement

    def rolled_up(self, keys: Sequence[str] = ()) -> bool:
        """Whether rollups tell these calls by these attributes."""
        return {*keys, *(one.key for one in self._wanted)} <= set(ROLLED_UP)

    def meets(self, value: ValueOf) -> ColumnElement[bool]:
        """That a row is of these calls."""
        return and_(true(), *(self._one(value(one.key), one) for one in self._wanted))

    def _one(self, value: ColumnElement[str], wanted: Condition) -> ColumnElement[bool]:
        if wanted.key not in FOLDED:
            return meets(value, wanted)
        names = [name for name in self._names[wanted.key] if wanted.matches(name)]
        return value.in_(names) if names else false()

    def _read_names(self, key: str) -> list[str]:
        return list(self._connection.scalars(select(_s[key]).where(_s[key] != "").distinct()))

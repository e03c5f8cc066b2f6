"""Runaways: keys and sessions that spend many times what they usually do.

What one has spent in the last five minutes is compared with the median of the five minutes in which
it spent anything, in the 24 hours before. Who has spent in fewer than six of those has no usual
yet. The median is read from at most the latest 100,000 usage records; where more lie in those 24
hours, that of a key is a twelfth of the median of its hours. Not here: who looks (`watching`).
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from budget.domain.answers_alerts import AlertSettings
from budget.domain.money import format_usd
from budget.engine.rows import DAY_US, HOUR_US
from budget.storage import schema

KIND: Final = "runaway"
FIVE_US: Final = 300_000_000
MIN_BUCKETS: Final = 6
MAX_RECORDS: Final = 100_000
MAX_SPENDERS: Final = 100
"""How many of the greatest spenders of the last five minutes are compared."""

_u, _r, _s = schema.usage.c, schema.rollups.c, schema.series.c
_OF: Final[Mapping[str, Any]] = {"key": _u.actor, "session": _u.session}


class Runaway(NamedTuple):
    """Somebody who spends too fast; `subject` is `key:` or `session:` and its name."""

    subject: str
    spent_nanos: int
    usual_nanos: int

    @property
    def detail(self) -> dict[str, object]:
        """What the alert tells."""
        of, _, name = self.subject.partition(":")
        return {
            of: name, "spent": format_usd(self.spent_nanos), "usual": format_usd(self.usual_nanos),
        }  # fmt: skip


def runaways(connection: Connection, settings: AlertSettings, now_us: int) -> list[Runaway]:
    """Who spends in five minutes, and at least the floor, the factor times the usual or more."""
    found = []
    for of, column in _OF.items():
        spent = spent_lately(connection, of, now_us, floor_nanos=settings.runaway_floor_nanos)
        usual = _usual(connection, of, column, spent, now_us) if spent else {}
        found += [
            Runaway(f"{of}:{name}", nanos, usual[name])
            for name, nanos in spent.items()
            if name in usual and nanos >= usual[name] * settings.runaway_factor
        ]
    return found


def spent_lately(
    connection: Connection,
    of: str,
    now_us: int,
    *,
    floor_nanos: int = 1,
    names: Sequence[str] | None = None,
) -> dict[str, int]:
    """What keys (sessions) have spent in the last five minutes, of the greatest spenders or of
    `names`; those below the floor are left out.
    """
    column = _OF[of]
    lately = _latest(column, now_us - FIVE_US + 1, now_us + 1)
    cost = func.sum(lately.c.cost)
    wanted = select(lately.c.name, cost).group_by(lately.c.name).having(cost >= max(1, floor_nanos))
    if names is not None:
        wanted = wanted.where(lately.c.name.in_(names))
    greatest = wanted.order_by(cost.desc(), lately.c.name).limit(MAX_SPENDERS)
    return {name: int(nanos) for name, nanos in connection.execute(greatest)}


def _latest(column: ColumnElement[str], since_us: int, until_us: int) -> Any:
    """The latest usage records of a time, no more than can be read in bounded time."""
    return (
        select(column.label("name"), _u.occurred_us.label("at_us"), _u.cost_nanos.label("cost"))
        .where(_u.occurred_us >= since_us, _u.occurred_us < until_us, column.is_not(None))
        .order_by(_u.occurred_us.desc(), _u.id.desc())
        .limit(MAX_RECORDS)
        .subquery()
    )


def _usual(
    connection: Connection, of: str, column: ColumnElement[str], names: Iterable[str], now_us: int
) -> dict[str, int]:
    """The median of the five minutes in which each spent anything."""
    wanted, until_us = list(names), now_us - FIVE_US + 1
    latest = _latest(column, until_us - DAY_US, until_us)
    if of == "key" and connection.scalar(select(func.count()).select_from(latest)) == MAX_RECORDS:
        return _usual_by_hours(connection, wanted, now_us)
    bucket = latest.c.at_us - latest.c.at_us % FIVE_US
    sums = (
        select(latest.c.name, func.sum(latest.c.cost))
        .where(latest.c.name.in_(wanted))
        .group_by(latest.c.name, bucket)
    )
    return _medians(connection.execute(sums), least=MIN_BUCKETS)


def _usual_by_hours(connection: Connection, names: Sequence[str], now_us: int) -> dict[str, int]:
    this_us = now_us - now_us % HOUR_US
    sums = (
        select(_s.key, func.sum(_r.cost_nanos))
        .join(schema.series, _s.id == _r.series_id)
        .where(
            _r.grain == "hour", _r.start_us >= this_us - DAY_US, _r.start_us < this_us,
            _s.key.in_(names),
        )
        .group_by(_s.key, _r.start_us)
    )  # fmt: skip
    hourly = _medians(connection.execute(sums), least=1)
    return {name: max(1, nanos * FIVE_US // HOUR_US) for name, nanos in hourly.items()}


def _medians(sums: Iterable[Any], *, least: int) -> dict[str, int]:
    """The median of the sums above 0 of each name that has so many of them."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for name, nanos in sums:
        if nanos is not None and nanos > 0:
            by_name[name].append(int(nanos))
    return {
        name: statistics.median_low(found) for name, found in by_name.items() if len(found) >= least
    }

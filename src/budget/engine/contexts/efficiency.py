"""Efficiency: what calls used of the tokens that were held for them, by some attributes.

Of holds that are settled, in a span of time by when they were placed. Not here: what usage adds up
to, held or not (`engine.summaries`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, case, func, select

from budget.analytics.contexts import efficiency_bps
from budget.domain.answers_contexts import Efficiencies, Efficiency
from budget.domain.asks_reading import EfficiencyAsk
from budget.domain.attributes import parse_key
from budget.domain.errors import InvalidInput
from budget.domain.rights import Bound
from budget.domain.windows import parse_rfc3339
from budget.engine.fields import only_fields
from budget.engine.reports.filters import Calls, calls
from budget.engine.rows import DAY_US
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.attribute_columns import attribute
from budget.storage.database import Database

DAYS: Final = 30
MAX_KEYS: Final = 8
MAX_GROUPS: Final = 500
USUAL: Final = ("component", "tier", "task_type")
_NAMED: Final = {"context_id": "session"}
_WHO: Final = (*USUAL, "context_id")
_FIELDS: Final = frozenset(EfficiencyAsk.__annotations__)
_a, _u = schema.allocations.c, schema.usage.c


class Asked(NamedTuple):
    """Which holds, and by which attributes."""

    since_us: int
    until_us: int
    group_by: tuple[str, ...]
    attributes: Mapping[str, Any]


def parse_efficiency(ask: Mapping[str, Any], now_us: int) -> Asked:
    """What was asked for; InvalidInput."""
    only_fields(ask, _FIELDS)
    given = {name: value for name, value in ask.items() if value is not None}
    until_us = now_us + 1
    if "until" in given:
        until_us = parse_rfc3339(given["until"], "until")
    since_us = max(0, min(until_us, now_us) - DAYS * DAY_US)
    if "since" in given:
        since_us = parse_rfc3339(given["since"], "since")
    if since_us >= until_us:
        raise InvalidInput("since", "must lie before until.")
    named = {_NAMED.get(name, name): given[name] for name in _WHO if name in given}
    return Asked(since_us, until_us, _keys(given.get("group_by", USUAL)), named)


def _keys(given: object) -> tuple[str, ...]:
    """The attributes to group by, in a text with commas or a list."""
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not 1 <= len(names) <= MAX_KEYS:
        raise InvalidInput("group_by", f"must be a list of 1 to {MAX_KEYS} attributes.")
    keys = [
        parse_key(_NAMED.get(name, name) if isinstance(name, str) else name, "group_by")
        for name in names
    ]
    return tuple(dict.fromkeys(keys))


def efficiency(database: Database, asked: Asked, bound: Bound) -> Efficiencies:
    """What was used of what was held, most tokens first."""
    wanted = calls(asked.attributes, bound)
    with snapshot(database) as connection:
        statement = _statement(asked, wanted, connection.dialect.name)
        found = [_efficiency(row, len(asked.group_by)) for row in connection.execute(statement)]
    total = Efficiency(
        (), sum(one.calls for one in found), sum(one.allocated_tokens for one in found),
        sum(one.used_tokens for one in found), sum(one.overrun_tokens for one in found), None,
    )  # fmt: skip
    share = efficiency_bps(total.used_tokens, total.allocated_tokens)
    return Efficiencies(asked.group_by, total._replace(efficiency_bps=share), found[:MAX_GROUPS])


def _efficiency(row: Sequence[Any], width: int) -> Efficiency:
    calls, allocated, used, overrun = map(int, row[width:])
    return Efficiency(
        tuple(row[:width]), calls, allocated, used, overrun, efficiency_bps(used, allocated)
    )


def settled_holds(wanted: Calls, since_us: int, dialect: str, *columns: Any) -> Select[Any]:
    """Settled holds of single calls, in tokens, placed since then, with columns."""
    return (
        select(_a.id, _a.tokens_held, *columns)
        .where(_a.status == "settled", _a.envelope == 0, _a.tokens_held.is_not(None))
        .where(_a.placed_us >= since_us)
        .where(wanted.in_sql(lambda key: attribute_of(key, dialect)))
    )


def used_of(holds: Any, *names: str) -> Select[Any]:
    """What each of some holds used, as `used_tokens`, with its own `tokens_held` and columns."""
    used = func.coalesce(func.sum(_u.input_tokens + _u.output_tokens), 0).label("used_tokens")
    own = [holds.c[name] for name in ("tokens_held", *names)]
    return (
        select(holds.c.id, *own, used)
        .select_from(holds.outerjoin(schema.usage, _u.allocation_id == holds.c.id))
        .group_by(holds.c.id, *own)
    )


def attribute_of(key: str, dialect: str) -> ColumnElement[str]:
    """An attribute of allocations in SQL."""
    if key == "session":
        return _a.session
    return attribute(_a.attributes, key, dialect)


def _statement(asked: Asked, wanted: Calls, dialect: str) -> Select[Any]:
    keys = [
        func.coalesce(attribute_of(key, dialect), "").label(f"key_{n}")
        for n, key in enumerate(asked.group_by)
    ]
    holds = settled_holds(wanted, asked.since_us, dialect, *keys)
    names = [f"key_{n}" for n in range(len(keys))]
    each = used_of(holds.where(_a.placed_us < asked.until_us).subquery(), *names).subquery().c
    beyond = case(
        (each.used_tokens > each.tokens_held, each.used_tokens - each.tokens_held), else_=0
    )
    by = [each[name] for name in names]
    held = func.sum(each.tokens_held)
    return (
        select(*by, func.count(), held, func.sum(each.used_tokens), func.sum(beyond))
        .group_by(*by)
        .order_by(held.desc(), *by)
    )

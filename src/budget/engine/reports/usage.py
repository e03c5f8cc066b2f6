"""Usage records, one and all, as a caller may see them: those of its own calls.

Not here: what they add up to (`summaries`).
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import RowMapping, Select, func, literal, select

from budget.domain.answers import UsageRecord
from budget.domain.answers_pages import Page
from budget.domain.errors import NotFound
from budget.domain.rights import UNBOUND, Bound, covers
from budget.engine import rows
from budget.engine.pages import order_of, read_kept, read_ordered
from budget.engine.reports.filters import calls, one_of, where, within
from budget.engine.reports.selecting import one, tuples
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.attribute_columns import attribute
from budget.storage.database import Database
from budget.storage.unit import USAGE_COLUMNS

FLAGS: Final = (
    "late", "overrun", "unpriced", "unreserved", "prior_period", "history", "correction", "rerated",
)  # fmt: skip

_u = schema.usage.c
_USAGE: Final = select(*(_u[name] for name in USAGE_COLUMNS))
_COST: Final = func.coalesce(_u.cost_nanos, 0).label("cost_sorted")
_TOKENS: Final = (_u.input_tokens + _u.output_tokens).label("tokens_sorted")
_ORDERS: Final[Mapping[str, Any]] = {
    "occurred_at": [_u.occurred_us, _u.id],
    "cost": [_COST, _u.id],
    "tokens": [_TOKENS, _u.id],
}


def usage_record(database: Database, usage_id: str, bound: Bound = UNBOUND) -> UsageRecord:
    """One usage record; NotFound."""
    with snapshot(database) as connection:
        found = one(connection, _USAGE, _u.id, usage_id)
    if found is not None:
        record = rows.usage_from_row(found)
        if covers(bound, record.attributes):
            return record
    raise NotFound("usage record", usage_id)


def usage_records(
    database: Database,
    bound: Bound = UNBOUND,
    *,
    allocation_id: str | None = None,
    actor: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    flag: str | None = None,
    since: str | None = None,
    until: str | None = None,
    sort: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[UsageRecord]:
    """Usage records of [since, until) by the time they occurred, newest first.

    With a model or provider among the attributes a page may be short and yet have a cursor.
    """
    order = order_of(sort, _ORDERS, "-occurred_at")
    asked = calls(attributes, bound)
    wanted = where(_USAGE, {_u.allocation_id: allocation_id, _u.actor: actor})
    wanted = _flagged(within(wanted, _u.occurred_us, since, until), flag)
    dialect = database.engine.dialect.name
    wanted = wanted.where(asked.in_sql(lambda key: value_of(key, dialect)))
    computed = [key for key in order.keys if key is _COST or key is _TOKENS]

    def keep(some: list[RowMapping]) -> list[RowMapping]:
        return [row for row in some if asked.has(rows.decode_attributes(row[_u.attributes]))]

    wanted = wanted.add_columns(*computed)
    with snapshot(database) as connection:
        if asked.exact:
            found, after = read_ordered(connection, wanted, order, limit=limit, cursor=cursor)
        else:
            found, after = read_kept(connection, wanted, order, keep, limit=limit, cursor=cursor)
    width = len(USAGE_COLUMNS)
    return Page([rows.usage_from_row(row[:width]) for row in tuples(found)], after)


def value_of(key: str, dialect: str) -> Any:
    """An attribute of usage records in SQL."""
    if key in ("session", "task"):
        return _u[key]
    return attribute(_u.attributes, key, dialect)


def _flagged(statement: Select[Any], flag: str | None) -> Select[Any]:
    if one_of(flag, "flag", FLAGS) is None:
        return statement
    words = literal(" ") + _u.flags + literal(" ")
    return statement.where(words.contains(f" {flag} ", autoescape=True))

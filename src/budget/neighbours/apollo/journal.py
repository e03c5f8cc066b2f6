"""What Apollo may be told of: a stretch of the journal, with what its entries are about.

Not here: what is told of it (`messages`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from budget.engine.balances import budgets_named, chunks, read_policies
from budget.engine.events.reading import Happened, events_after, newest
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.database import Database

PAGE: Final = 500
_a, _u, _h = schema.allocations.c, schema.usage.c, schema.heads.c


class Hold(NamedTuple):
    """An allocation as it is now, in tokens; None where it states none."""

    status: str
    priority: int
    held_tokens: int | None
    left_tokens: int | None
    held_nanos: int | None
    expires_us: int


class Used(NamedTuple):
    """A usage record."""

    input_tokens: int
    output_tokens: int
    cost_nanos: int | None


class Limit(NamedTuple):
    """A policy's balance: whose limit it is, and of what."""

    budget_id: str
    budget: str
    policy_id: str
    unit: str
    period: str
    partition: str


class Stretch(NamedTuple):
    """What happened, and all that is to be known of it; `limits` are by the id of the balance."""

    happened: Sequence[Happened]
    holds: Mapping[str, Hold]
    used: Mapping[str, Used]
    limits: Mapping[int, Limit]


def read_after(database: Database, after: int) -> Stretch:
    """What happened after a cursor, some of it at a time."""
    happened = events_after(database, after, PAGE, closer=True)
    if not happened:
        return Stretch((), {}, {}, {})
    events = [one.event for one in happened]
    with snapshot(database) as connection:
        return Stretch(
            happened,
            _holds(connection, {one.allocation_id for one in events if one.allocation_id}),
            _used(connection, {one.usage_id for one in events if one.usage_id}),
            _limits(connection, {leg[0] for one in events for leg in json.loads(one.legs)}),
        )


def read_newest(database: Database) -> int:
    """The cursor of now."""
    return newest(database)


def _rows(
    connection: Connection, id: Any, columns: Sequence[Any], ids: Iterable[Any]
) -> Iterator[Any]:
    for some in chunks(sorted(ids)):
        yield from connection.execute(select(id, *columns).where(id.in_(some)))


def _holds(connection: Connection, ids: set[str]) -> dict[str, Hold]:
    columns = (
        _a.status, _a.priority, _a.tokens_held, _a.tokens_left, _a.usd_held, _a.expires_us,
    )  # fmt: skip
    return {row[0]: Hold(*row[1:]) for row in _rows(connection, _a.id, columns, ids)}


def _used(connection: Connection, ids: set[str]) -> dict[str, Used]:
    columns = (_u.input_tokens, _u.output_tokens, _u.cost_nanos)
    return {row[0]: Used(*row[1:]) for row in _rows(connection, _u.id, columns, ids)}


def _limits(connection: Connection, ids: set[int]) -> dict[int, Limit]:
    heads = list(_rows(connection, _h.id, (_h.policy_id, _h.partition), ids))
    policies = read_policies(connection, {row.policy_id for row in heads})
    budgets = budgets_named(connection, {one.budget_id for one in policies.values()})
    found = {}
    for head_id, policy_id, partition in heads:
        policy = policies[policy_id]
        name = budgets[policy.budget_id].name
        found[head_id] = Limit(
            policy.budget_id, name, policy_id, policy.unit, policy.calendar.period.text, partition
        )
    return found

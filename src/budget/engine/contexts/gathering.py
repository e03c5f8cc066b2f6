"""Gathering: all that the books have of some sessions, in a few queries for all of them.

Not here: what is made of it (`reports`).
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, select

from budget.analytics.contexts import Held
from budget.domain.answers_contexts import ContextUse, Use
from budget.domain.attributes import Attributes
from budget.engine.balances import chunks
from budget.engine.reports.filters import Calls
from budget.engine.summing import COST, SIGN, UNPRICED_ONE
from budget.storage import schema
from budget.storage.attribute_columns import attribute

USES: Final = 50
"""So many of the newest calls of a context tell its pace."""
WHO: Final = ("component", "tier", "task_type", "provider", "model")
_a, _u = schema.allocations.c, schema.usage.c
_IS_CALL: Final = _a.envelope == 0


@dataclass(slots=True)
class Gathered:
    """What the books have of a session."""

    attributes: Attributes = field(default_factory=dict)
    first_us: int = 0
    last_us: int = 0
    by: list[ContextUse] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    allocations: int = 0
    open_allocations: int = 0
    reserved_tokens: int = 0
    settled: int = 0
    allocated_tokens: int = 0
    used_tokens: int = 0

    @property
    def held(self) -> Held:
        """Its settled holds in tokens."""
        return Held(self.settled, self.allocated_tokens, self.used_tokens)

    def seen(self, first_us: int, last_us: int) -> None:
        """Take in when something was."""
        self.first_us = min(self.first_us, first_us) if self.last_us else first_us
        self.last_us = max(self.last_us, last_us)


def sessions_of(
    connection: Connection, asked: Calls, since_us: int | None, limit: int, after: str | None
) -> list[str]:
    """Sessions with calls or holds that are asked for, by name, one more than the limit."""
    dialect = connection.dialect.name
    found: set[str] = set()
    for of, at_us in ((_u, _u.occurred_us), (_a, _a.placed_us)):
        meets = asked.in_sql(partial(_value, of, dialect))
        wanted = (
            select(of.session)
            .where(of.session.is_not(None))
            .where(meets)
            .distinct()
            .order_by(of.session)
            .limit(limit + 1)
        )
        if since_us is not None:
            wanted = wanted.where(at_us >= since_us)
        if after is not None:
            wanted = wanted.where(of.session > after)
        found.update(connection.scalars(wanted))
    return sorted(found)[: limit + 1]


def _value(of: Any, dialect: str, key: str) -> Any:
    return of.session if key == "session" else attribute(of.attributes, key, dialect)


def gather(connection: Connection, sessions: Sequence[str], calls: Calls) -> Mapping[str, Gathered]:
    """What the books have of these sessions, of the calls that the caller may see."""
    found: dict[str, Gathered] = defaultdict(Gathered)
    for some in chunks(sessions):
        _gather_holds(connection, some, calls, found)
        _gather_use(connection, some, calls, found)
        _gather_newest(connection, some, calls, found)
    return found


def _gather_use(
    connection: Connection, sessions: list[str], calls: Calls, found: dict[str, Gathered]
) -> None:
    dialect = connection.dialect.name
    keys: list[Any] = [_value(_u, dialect, key).label(key) for key in WHO[:3]]
    keys += [_u.provider, _u.model]
    tokens = func.sum(_u.input_tokens + _u.output_tokens)
    wanted = (
        select(
            _u.session, *keys, func.sum(_u.requests), func.sum(_u.input_tokens),
            func.sum(_u.output_tokens), func.sum(COST), func.sum(UNPRICED_ONE), func.sum(SIGN),
            func.min(_u.occurred_us), func.max(_u.occurred_us),
        )
        .where(_u.session.in_(sessions))
        .where(calls.in_sql(partial(_value, _u, dialect)))
        .group_by(_u.session, *keys)
        .order_by(_u.session, tokens.desc(), *keys)
    )  # fmt: skip
    for session, *rest in connection.execute(wanted):
        who, (*figures, records, first_us, last_us) = rest[:5], rest[5:]
        if int(records):  # else all of it was reversed
            found[session].by.append(ContextUse(*who, *map(int, figures)))
        found[session].seen(first_us, last_us)


def _gather_holds(
    connection: Connection, sessions: list[str], calls: Calls, found: dict[str, Gathered]
) -> None:
    dialect = connection.dialect.name
    mine = and_(_a.session.in_(sessions), _IS_CALL, calls.in_sql(partial(_value, _a, dialect)))
    in_tokens = and_(_a.status == "settled", _a.tokens_held.is_not(None))
    wanted = select(
        _a.session, func.count(), func.sum(case((_a.status == "open", 1), else_=0)),
        func.sum(case((_a.status == "open", func.coalesce(_a.tokens_left, 0)), else_=0)),
        func.sum(case((in_tokens, 1), else_=0)),
        func.sum(case((in_tokens, _a.tokens_held), else_=0)),
        func.min(_a.placed_us), func.max(_a.placed_us),
    )  # fmt: skip
    for row in connection.execute(wanted.where(mine).group_by(_a.session)):
        one = found[row[0]]
        one.allocations, one.open_allocations, one.reserved_tokens = map(int, row[1:4])
        one.settled, one.allocated_tokens = map(int, row[4:6])
        one.seen(row[6], row[7])
    used = (
        select(_a.session, func.sum(_u.input_tokens + _u.output_tokens))
        .select_from(schema.allocations.join(schema.usage, _u.allocation_id == _a.id))
        .where(mine, in_tokens)
        .group_by(_a.session)
    )
    for session, tokens in connection.execute(used):
        found[session].used_tokens = int(tokens)


def _gather_newest(
    connection: Connection, sessions: list[str], calls: Calls, found: dict[str, Gathered]
) -> None:
    """The newest calls of each, without those that were reversed, and who made the last of all."""
    for session, attributes, *use in _newest_uses(connection, sessions, calls):
        one = found[session]
        one.uses.append(Use(*use))
        if attributes is not None:
            one.attributes = json.loads(attributes)
    quiet = [session for session in sessions if session in found and not found[session].attributes]
    for session, attributes in _newest_holds(connection, quiet, calls):
        found[session].attributes = json.loads(attributes)
    for session in sessions:
        if session in found:
            found[session].uses.reverse()


def _newest_uses(connection: Connection, sessions: list[str], calls: Calls) -> Any:
    dialect = connection.dialect.name
    reversing = schema.usage.alias("reversing").c
    newest = [_u.occurred_us.desc(), _u.entry_id.desc()]
    ranked = (
        select(
            _u.session, _u.attributes, _u.occurred_us, _u.input_tokens, _u.output_tokens,
            _u.cost_nanos,
            func.row_number().over(partition_by=_u.session, order_by=newest).label("rank"),
        )
        .select_from(
            schema.usage.outerjoin(reversing.id.table, reversing.reverses == _u.id)
        )
        .where(_u.session.in_(sessions), _u.reverses.is_(None), reversing.id.is_(None))
        .where(calls.in_sql(partial(_value, _u, dialect)))
        .subquery()
    ).c  # fmt: skip
    return connection.execute(
        select(
            ranked.session, case((ranked.rank == 1, ranked.attributes)), ranked.occurred_us,
            ranked.input_tokens, ranked.output_tokens, ranked.cost_nanos,
        )
        .where(ranked.rank <= USES)
        .order_by(ranked.session, ranked.rank)
    )  # fmt: skip


def _newest_holds(connection: Connection, sessions: list[str], calls: Calls) -> Any:
    if not sessions:
        return ()
    dialect = connection.dialect.name
    newest = [_a.placed_us.desc(), _a.id.desc()]
    ranked = (
        select(
            _a.session, _a.attributes,
            func.row_number().over(partition_by=_a.session, order_by=newest).label("rank"),
        )
        .where(_a.session.in_(sessions))
        .where(calls.in_sql(partial(_value, _a, dialect)))
        .subquery()
    ).c  # fmt: skip
    return connection.execute(select(ranked.session, ranked.attributes).where(ranked.rank == 1))

"""Past calls: what was asked for and what came of it, in the order of time, a page at a time.

A call is an allocation, at the moment it was placed, or usage that nobody reserved, when it
occurred. The envelope of an agent run is none: its calls are. Not here: usage records by
themselves (`past`), and what is done with calls (`simulating`).
"""

from collections.abc import Iterator, Mapping
from heapq import merge
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, exists, func, literal, select, tuple_

from budget.domain.allocations import Amounts
from budget.domain.rights import UNBOUND, Bound, covers
from budget.domain.windows import MAX_US
from budget.engine import rows
from budget.engine.past import Progress
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.database import Database

PAGE: Final = 2000

_a, _u = schema.allocations.c, schema.usage.c
_reversal = schema.usage.alias("reversal")
_SUMS: Final = (
    func.sum(_u.cost_nanos), func.sum(_u.input_tokens), func.sum(_u.output_tokens),
    func.sum(_u.requests),
)  # fmt: skip
_HELD: Final = select(
    _a.placed_us, _a.id, _a.updated_us, _a.status, _a.attributes, _a.priority,
    _a.usd_first, _a.tokens_first, _a.requests_first, _a.input_tokens, _a.granted_first,
).where(_a.envelope == 0)  # fmt: skip
_UNRESERVED: Final = select(
    _u.occurred_us, _u.id, _u.attributes, _u.cost_nanos, _u.input_tokens, _u.output_tokens,
    _u.requests,
).where(
    _u.allocation_id.is_(None), _u.reverses.is_(None),
    ~exists().where(_reversal.c.reverses == _u.id),
)  # fmt: skip


class PastCall(NamedTuple):
    """A call: what it asked to hold, and what it used in the end, at `ends_us` (never: MAX_US).

    `kept`: its time ran out, and nobody said what it used of what it held.
    """

    at_us: int
    call_id: str
    ends_us: int
    kept: bool
    attributes: Mapping[str, str]
    priority: int
    asked: Amounts
    used: Amounts

    @property
    def cost_nanos(self) -> int:
        """What it cost, as far as that is known."""
        return self.used.usd or 0


def past_calls(
    database: Database,
    since_us: int,
    until_us: int,
    bound: Bound = UNBOUND,
    progress: Progress | None = None,
) -> Iterator[PastCall]:
    """The calls of [since, until) that a caller may see, by time."""
    total = 0 if progress is None else _count(database, since_us, until_us)
    if progress is not None:
        progress(0, total)
    found = merge(
        _held(database, since_us, until_us), _unreserved(database, since_us, until_us),
        key=attrgetter("at_us"),
    )  # fmt: skip
    for number, call in enumerate(found, 1):
        if number % PAGE == 0 and progress is not None:
            progress(min(number, total), total)
        if covers(bound, call.attributes):
            yield call


def _count(database: Database, since_us: int, until_us: int) -> int:
    """How many calls there are in a time."""
    total = 0
    with snapshot(database) as connection:
        for statement, at in ((_HELD, _a.placed_us), (_UNRESERVED, _u.occurred_us)):
            of = statement.where(at >= since_us, at < until_us).subquery()
            total += connection.scalar(select(func.count()).select_from(of)) or 0
    return total


def _pages(
    database: Database, statement: Select[Any], at: Any, id: Any, since_us: int, until_us: int
) -> Iterator[tuple[list[Any], dict[str, tuple[Any, ...]]]]:
    """Rows by time, and what usage of each adds up to, by its id."""
    ordered = statement.where(at < until_us).order_by(at, id).limit(PAGE)
    last: tuple[int, str] = (since_us, "")
    while True:
        after = ordered.where(tuple_(at, id) > tuple_(*map(literal, last)))
        with snapshot(database) as connection:
            found = list(connection.execute(after))
            sums = {}
            if at is _a.placed_us and found:
                of = select(_u.allocation_id, *_SUMS).where(
                    _u.allocation_id.in_([row[1] for row in found])
                )
                summed = connection.execute(of.group_by(_u.allocation_id))
                sums = {row[0]: tuple(row[1:]) for row in summed}
        yield found, sums
        if len(found) < PAGE:
            return
        last = (found[-1][0], found[-1][1])


def _held(database: Database, since_us: int, until_us: int) -> Iterator[PastCall]:
    for found, sums in _pages(database, _HELD, _a.placed_us, _a.id, since_us, until_us):
        for row in found:
            placed_us, id, updated_us, status, attributes, priority, *agreed = row
            used = _used(sums.get(id, (0, 0, 0, 0)))
            yield PastCall(
                placed_us, id, MAX_US if status == "open" else updated_us, status == "expired",
                rows.decode_attributes(attributes), priority, _asked(agreed, used), used,
            )  # fmt: skip


def _unreserved(database: Database, since_us: int, until_us: int) -> Iterator[PastCall]:
    for found, _ in _pages(database, _UNRESERVED, _u.occurred_us, _u.id, since_us, until_us):
        for occurred_us, id, attributes, *counts in found:
            used = _used(tuple(counts))
            yield PastCall(
                occurred_us, id, occurred_us, False, rows.decode_attributes(attributes), 5,
                used, used,
            )  # fmt: skip


def _used(sums: tuple[Any, ...]) -> Amounts:
    usd, input_tokens, output_tokens, requests = (int(value or 0) for value in sums)
    return Amounts(usd, input_tokens + output_tokens, input_tokens, output_tokens, requests)


def _asked(agreed: list[int | None], used: Amounts) -> Amounts:
    """What it asked to hold; of a unit that it did not state, what it used."""
    usd, tokens, requests, input_tokens, output_tokens = agreed
    if input_tokens is None and tokens is not None:
        input_tokens = output_tokens = tokens  # a bare number of tokens counts in full as either
    stated = (usd, tokens, input_tokens, output_tokens, requests)
    return Amounts._make(
        of_used if one is None else one for one, of_used in zip(stated, used, strict=True)
    )

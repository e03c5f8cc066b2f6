"""Entry places: where in the journal a time lies, and what balances were just before an entry.

The journal is ordered by its ids, which grow with time but for the order of transactions that ran
at once, so a time is found by halving, with some slack. Not here: what is explained by it
(`explaining`), and the proof of all balances (`audit`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, or_, select

from budget.domain.windows import BUCKETS
from budget.engine import rows
from budget.storage import schema

SLACK_US: Final = 60_000_000
_e = schema.entries.c


class Cells(NamedTuple):
    """Which postings count: those on a head's cells [first, last], below a version if one is said,
    of a `rolling` policy's every bucket that was live.
    """

    head_id: int
    first_us: int
    last_us: int
    version: int | None = None


class Sums(NamedTuple):
    """What postings add up to."""

    spent: int = 0
    reserved: int = 0
    assumed: int = 0
    overrun: int = 0


def around(connection: Connection, since_us: int, until_us: int) -> Select[Any]:
    """The entries of a time, and some of before and after."""
    first = _first_at(connection, since_us - SLACK_US)
    last = _first_at(connection, until_us + SLACK_US)
    wanted = select(schema.entries).where(_e.id >= first).order_by(_e.id)
    return wanted if last is None else wanted.where(_e.id <= last)


def _first_at(connection: Connection, at_us: int) -> Any:
    """The id of the first entry at a time or later; None if there is none."""
    low = connection.scalar(select(func.min(_e.id)))
    high = connection.scalar(select(func.max(_e.id)))
    if low is None or high is None:
        return 0
    last_us = connection.scalar(select(_e.at_us).where(_e.id == high))
    if last_us is None or last_us < at_us:
        return high
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(
            select(_e.id, _e.at_us).where(_e.id >= middle).order_by(_e.id).limit(1)
        ).one()
        if found.at_us < at_us:
            low = found.id + 1
        else:
            high = middle
    return low


def sums_before(
    connection: Connection, wanted: Iterable[Cells], entry_id: int, at_us: int
) -> Mapping[int, Sums]:
    """What the postings on these cells add up to before an entry, by head."""
    cells = {one.head_id: one for one in wanted}
    if not cells:
        return {}
    since_us = min(one.first_us for one in cells.values())
    statement = around(connection, since_us, at_us).where(
        or_(*(_e.legs.contains(f"[{head_id},") for head_id in cells))
    )
    sums = {head_id: [0, 0, 0, 0] for head_id in cells}
    for row in connection.execute(statement.with_only_columns(_e.id, _e.legs)):
        for head_id, cell_us, *figures, version, _ in rows.postings_from_json(row.legs):
            one = cells.get(head_id)
            if one is None or not one.first_us <= cell_us <= one.last_us:
                continue
            if version < one.version if one.version is not None else row.id < entry_id:
                for place, more in enumerate(figures):
                    sums[head_id][place] += more
    return {head_id: Sums(*of) for head_id, of in sums.items()}


def live_since_us(cell_us: int, bucket_us: int) -> int:
    """The oldest bucket that counts beside one; of a calendar policy the window itself."""
    return cell_us - BUCKETS * bucket_us

"""Works: what goes on at a provider when its call was answered, as the books know it: batches, and
answers in the background.

The hold says at which upstream it is, and a usage record of nothing, named after the work, leads
to the hold. So any process finds what is still open. Not here: what is booked when a work has ended
(`later`), and who asks for that (`poller`).
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple, get_args

import msgspec
from sqlalchemy import select

from budget.domain.answers import Allocation
from budget.domain.errors import BudgetError
from budget.engine.budget import AsyncBudget
from budget.engine.callers import LOCAL
from budget.engine.jobs import Jobs
from budget.engine.snapshots import snapshot
from budget.gateway.holding import log
from budget.gateway.upstreams import Upstream
from budget.storage.database import Database
from budget.storage.schema import allocations, usage

Kind = Literal["responses", "batch", "message_batch"]
"""Of OpenAI, of OpenAI, of Anthropic."""

MOST_WORKS: Final = 10_000
"""So many are read of the books at once; when they have ended the others are found."""
MOST_BEGUN: Final = 1_000
OPEN: Final = ("open", "expired")
"""The states of a hold for which usage is still awaited."""
_MARKER: Final = "use_later_"
_AFTER_MARKERS: Final = "use_later`"
"""Sorts just behind all ids that begin so."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_KINDS: Final[Mapping[object, Kind]] = {kind: kind for kind in get_args(Kind)}

Works = asyncio.Queue["Work"]
"""Those that have just begun here."""


def no_works() -> Works:
    """A line in which those stand that begin here, until somebody looks after them."""
    return asyncio.Queue(MOST_BEGUN)


class Work(NamedTuple):
    """A work of which an upstream can be asked with the gateway's own key."""

    allocation_id: str
    work_id: str
    kind: Kind
    upstream: str
    begun_us: int


def notes(kind: str, upstream: Upstream, *, own_key: bool) -> dict[str, str]:
    """What the hold of a work says of it: with a caller's own key nobody else can ask for it."""
    return {"later": kind} if own_key else {"later": kind, "upstream": upstream.name}


def marker_of(work_id: str) -> str:
    """The name of the usage record that leads from a work to its hold."""
    return f"{_MARKER}{work_id}"


async def begun(budget: AsyncBudget, works: Works, allocation: Allocation, work_id: str) -> None:
    """Leave a marker for a work that has begun, and tell who asks for it."""
    jobs = Jobs(budget.books, LOCAL)
    try:
        await budget.run(
            jobs.record(
                allocation.allocation_id, usage_id=marker_of(work_id), final=False,
                input_tokens=0, requests=0,
            )
        )  # fmt: skip
    except BudgetError as error:
        log.error("%s is booked only if it is asked for: %s", work_id[:80], error)
        return
    placed = allocation.allocation_id, allocation.metadata, allocation.placed_us
    work = _work_of(work_id, *placed)
    if work is not None:
        with suppress(asyncio.QueueFull):  # it is in the books, and found there later
            works.put_nowait(work)


def open_works(database: Database, since_us: int) -> list[Work]:
    """Those that were begun since then and are not booked, the oldest first."""
    held, marker = allocations.c, usage.c
    wanted = (
        select(marker.id, held.id, held.metadata, held.placed_us)
        .join(usage, marker.allocation_id == held.id)
        .where(
            marker.id >= _MARKER,
            marker.id < _AFTER_MARKERS,
            held.status.in_(OPEN),
            held.placed_us >= since_us,
        )
        .order_by(held.placed_us)
        .limit(MOST_WORKS)
    )
    with snapshot(database) as connection:
        found = [
            _work_of(marker_id.removeprefix(_MARKER), *placed)
            for marker_id, *placed in connection.execute(wanted)
        ]
    return [work for work in found if work is not None]


def _work_of(work_id: str, allocation_id: str, metadata: str, begun_us: int) -> Work | None:
    """The work, if it can be asked for; anything may stand in what callers of the API wrote."""
    try:
        noted: Any = msgspec.json.decode(metadata)
    except msgspec.DecodeError:
        return None
    if not isinstance(noted, Mapping) or not _ID.fullmatch(work_id):
        return None
    told, upstream = noted.get("later"), noted.get("upstream")
    kind = _KINDS.get(told) if isinstance(told, str) else None
    if kind is None or not isinstance(upstream, str):
        return None
    return Work(allocation_id, work_id, kind, upstream, begun_us)

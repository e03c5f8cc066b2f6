"""Remembering: how much calls of a caller to a model wrote before this process began.

Looked up once, in a thread, when a name is first called; that call does not wait for it. Not here:
what follows from it (`learning`).
"""

import asyncio
from typing import Final

from sqlalchemy import select

from budget.domain.errors import Unavailable
from budget.engine.snapshots import snapshot
from budget.gateway.learning import KEPT, Name, Outputs
from budget.storage.database import Database
from budget.storage.schema import allocations, usage

LOOKED_AT: Final = 2_000
"""Of so many calls, the newest of all, those of the name are taken."""
_DONE: Final = '%"end":"done"%'


async def remember(outputs: Outputs, database: Database, name: Name) -> None:
    """Have the newest calls of this name in the books teach; nothing, if they cannot be read."""
    try:
        wrote = await asyncio.to_thread(written_before, database, name)
    except Unavailable:
        outputs.forget(name)
        return
    outputs.recall(name, wrote)


def written_before(database: Database, name: Name) -> list[int]:
    """What the newest calls of this name wrote that ended by themselves, the oldest first."""
    actor, provider, model = name
    newest = (
        select(allocations.c.id, allocations.c.actor, allocations.c.provider, allocations.c.model)
        .order_by(allocations.c.placed_us.desc(), allocations.c.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    found = (
        select(usage.c.output_tokens)
        .join(newest, newest.c.id == usage.c.allocation_id)
        .where(
            newest.c.actor == actor,
            newest.c.provider == provider,
            newest.c.model == model,
            usage.c.metadata.like(_DONE),
        )
        .order_by(usage.c.recorded_us.desc())
        .limit(KEPT)
    )
    with snapshot(database) as connection:
        tokens = [int(row[0]) for row in connection.execute(found)]
    return tokens[::-1]

"""Notes: what a neighbour keeps in the books between runs, each under a name, as JSON.

    notes = Notes(budget, "athena")
    await notes.put("cursor", cursor)

Not here: anything that decides or counts; notes may be lost without harm to the books.
"""

import json
from typing import Any

from sqlalchemy import delete, insert, select, update

from budget.engine.batch import Batch
from budget.engine.budget import AsyncBudget
from budget.engine.job import Job
from budget.engine.rows import to_json
from budget.engine.snapshots import snapshot
from budget.storage.schema import neighbour_notes as table


class Notes:
    """The notes of one neighbour."""

    def __init__(self, budget: AsyncBudget, neighbour: str) -> None:
        self._budget = budget
        self._neighbour = neighbour

    async def get(self, name: str, default: Any = None) -> Any:
        """What is noted under a name; Unavailable when the books cannot be read."""
        return (await self.all(name)).get(name, default)

    async def all(self, prefix: str = "") -> dict[str, Any]:
        """Everything that is noted under names that begin so."""
        wanted = select(table.c.name, table.c.value).where(
            table.c.neighbour == self._neighbour, table.c.name.startswith(prefix, autoescape=True)
        )

        def read() -> dict[str, Any]:
            with snapshot(self._budget.books.database) as connection:
                return {name: json.loads(value) for name, value in connection.execute(wanted)}

        return await self._budget.run(Job(read=read))

    async def put(self, name: str, value: Any) -> None:
        """Note a value under a name, in place of what was there; None takes it away."""
        await self.put_all({name: value})

    async def put_all(self, values: dict[str, Any]) -> None:
        """Note several at once, all or none."""

        def change(batch: Batch) -> None:
            for name, value in values.items():
                self._put(batch, name, value)

        await self._budget.run(Job[None](change=change))

    def _put(self, batch: Batch, name: str, value: Any) -> None:
        mine = (table.c.neighbour == self._neighbour) & (table.c.name == name)
        if value is None:
            batch.unit.execute(delete(table).where(mine))
            return
        row = {"value": to_json(value), "updated_us": batch.now_us}
        if batch.unit.execute(select(table.c.name).where(mine)):
            batch.unit.execute(update(table).where(mine).values(row))
        else:
            batch.unit.execute(insert(table).values(neighbour=self._neighbour, name=name, **row))

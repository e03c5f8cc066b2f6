"""Athena as a neighbour: the graph of spend is brought in step when the books change, what calls
used once a minute; and looked after in between, in case it has forgotten.

Not here: what the graph is (`graph`), how it is sent (`sending`), what is asked of it
(`questions`).
"""

import asyncio
import time
from typing import Final

from budget.domain import cursors
from budget.engine.budget import AsyncBudget
from budget.neighbours.athena.graph import Graph, graph_of
from budget.neighbours.athena.memory import Memory
from budget.neighbours.athena.picture import Painter
from budget.neighbours.athena.sending import Sender
from budget.neighbours.calling import Line
from budget.neighbours.neighbour import Neighbour
from budget.neighbours.notes import Notes

NAME: Final = "athena"
TOPICS: Final = ("budget_events", "policy_updates", "budget_alerts")
"""The events that change the graph at once."""
LOOK_SECONDS: Final = 10.0
"""How often Athena is looked at when nothing happens."""
USAGE_SECONDS: Final = 60.0
GATHER_SECONDS: Final = 0.25
"""How long further events are waited for after one."""


class Athena(Neighbour):
    """The graph of spend, while the service runs."""

    name = NAME

    def __init__(self, budget: AsyncBudget, address: str) -> None:
        self.address = address
        super().__init__()
        self.line = Line(NAME, address)
        self._budget = budget
        self._memory = Memory(Notes(budget, NAME))
        self._sender = Sender(self.line, self._memory)
        self._painter = Painter(budget.books)
        self._changed = asyncio.Event()
        self._newest: str | None = None
        self._usage_due = 0.0
        self._in_step = False

    @property
    def read_to(self) -> str | None:
        """The cursor of the last event that Athena is in step with."""
        return self._memory.cursor

    async def run(self) -> None:
        """Keep it in step."""
        if not self._memory.books:
            await self._memory.recall()
        following = asyncio.create_task(self._follow(), name="athena follows the journal")
        try:
            while True:
                await self._look()
                await self._wait(following)
        finally:
            following.cancel()
            await asyncio.wait([following])

    async def leave(self) -> None:
        """Have it keep what it knows, and hang up."""
        try:
            await self._sender.close()
        finally:
            await self.line.close()

    async def _look(self) -> None:
        """Bring it in step, if it is not."""
        forgot = await self._sender.has_forgotten()
        usage = time.monotonic() >= self._usage_due
        if forgot or usage or self._changed.is_set() or not self._in_step:
            self._changed.clear()
            self._in_step = False
            newest = self._newest
            graph = await asyncio.to_thread(self._graph, usage)
            if usage:
                self._usage_due = time.monotonic() + USAGE_SECONDS
            await self._sender.bring(graph)
            self._in_step = True
            if newest is not None and newest != self._memory.cursor:
                self._memory.cursor = newest
                await self._memory.note()
        entities, relations = self._memory.count()
        self.contact.went_well(entities=entities, relations=relations)

    def _graph(self, usage: bool) -> Graph:
        return graph_of(self._painter.picture(usage=usage))

    async def _follow(self) -> None:
        """Note what happens in the journal, from where it was read to the last time."""
        after = self._newest or self._memory.cursor
        async for event in self._budget.follow(after=after, topics=list(TOPICS)):
            self._newest = cursors.encode(event.cursor)
            self._changed.set()

    async def _wait(self, following: asyncio.Task[None]) -> None:
        """Until something happens, or it is time to look."""
        happens = asyncio.create_task(self._changed.wait())
        try:
            due = max(0.0, min(LOOK_SECONDS, self._usage_due - time.monotonic()))
            await asyncio.wait(
                [happens, following], timeout=due, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            happens.cancel()
        if following.done():
            following.result()
        if self._changed.is_set():
            await asyncio.sleep(GATHER_SECONDS)

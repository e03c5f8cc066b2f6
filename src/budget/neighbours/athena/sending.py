"""Sending: Athena's graph brought in step with what it should be, and found again after a loss.

Only what changed is sent, some at once and in batches; after each the revision is told to Athena
in an entity of its own, noted here, and Athena told to keep it. Where that entity is missing or of
another revision, Athena has forgotten, and all is sent again. Not here: how a thing is sent
(`asking`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeVar

from budget.neighbours.athena import asking
from budget.neighbours.athena.graph import Entity, Graph, Thing, digest, is_relation
from budget.neighbours.athena.memory import FOREIGN, GONE, UNSURE, Memory
from budget.neighbours.calling import Line, Unanswered

AT_ONCE: Final = 4
BATCH: Final = 200
TRIES: Final = 6
AGAIN_SECONDS: Final = 0.05
MOST_IN_VAIN: Final = 3
"""How often all that is left is tried at once, before Athena is left alone for a while."""
OWN_TYPES: Final = ("budget", "policy", "alert", "anomaly")
"""Types of entities that only we make."""

T = TypeVar("T")
Todo = list[Thing | str]
"""Things to keep, and ids of things to take away, in the order in which that is done."""


def todo(graph: Graph, sent: dict[str, str]) -> Todo:
    """What differs: entities before relations, and relations away before entities."""
    keep: Todo = [
        thing for key, thing in graph.items() if sent.get(key) not in (FOREIGN, digest(thing))
    ]
    away = [
        key for key, told in sent.items() if key not in graph and told not in (GONE, FOREIGN)
    ]  # fmt: skip
    return [*keep, *sorted(away, key=lambda key: not is_relation(key))]


class Sender:
    """Keeps one Athena in step, over a line, by what is remembered."""

    def __init__(self, line: Line, memory: Memory) -> None:
        self._line = line
        self._memory = memory
        self._swept = False

    async def has_forgotten(self) -> bool:
        """Whether Athena does not know what it was told last; then nothing is sure any more."""
        memory = self._memory
        there = await _until_it_works(lambda: asking.look_up(self._line, self._mark_id))
        told = (there or {}).get("properties")
        revision = told.get("revision") if isinstance(told, dict) else 0
        if revision not in (memory.revision, memory.pending):
            await memory.recall()  # another node may have told it
        if revision in (memory.revision, memory.pending):
            entities, _ = memory.count()
            if not entities:
                return False
            if await _until_it_works(lambda: asking.entity_count(self._line)) > entities:
                return False
        memory.doubt()
        self._swept = False
        return True

    async def bring(self, graph: Graph) -> None:
        """Bring Athena in step; Unanswered when some of it cannot be done, which is then left."""
        if not self._swept:
            await self._find_lost(graph)
            self._swept = True
        in_vain = 0
        while True:
            work = await asyncio.to_thread(todo, graph, self._memory.sent)
            failed = [error for batch in _batches(work) for error in await self._do_all(batch)]
            if not self._memory.synced:
                await self._sync()
            if not failed:
                return
            in_vain = in_vain + 1 if len(failed) == len(work) else 0
            if in_vain == MOST_IN_VAIN:
                raise failed[0]
            await asyncio.sleep(AGAIN_SECONDS)

    async def close(self) -> None:
        """Have what was sent kept, if that was not done yet."""
        if self._memory.books and not self._memory.synced:
            await self._sync()

    # --- Things ----------------------------------------------------------------------------------

    async def _do_all(self, batch: Sequence[Thing | str]) -> list[Unanswered]:
        """Do some work, a few things at once; why some could not be done. Silence is raised."""
        waiting, failed = iter(batch), list[Unanswered]()

        async def work() -> None:
            for one in waiting:
                if failed and failed[0].status is None:
                    return
                try:
                    await self._do(one)
                except Unanswered as error:
                    failed.insert(0 if error.status is None else len(failed), error)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        if failed and failed[0].status is None:
            raise failed[0]
        if len(failed) < len(batch):
            await self._tell_revision()
        return failed

    async def _do(self, one: Thing | str) -> None:
        memory = self._memory
        if isinstance(one, str):
            await asking.drop(self._line, one)
            memory.put(one, GONE)
            return
        memory.put(one.id, UNSURE)  # if this is interrupted, it may be there
        kept = await asking.keep(self._line, one, memory.books)
        memory.put(one.id, digest(one) if kept else FOREIGN)

    async def _find_lost(self, graph: Graph) -> None:
        """Find things of ours that nobody remembers, as after the books were restored."""
        for entity_type in OWN_TYPES:
            listed = partial(asking.ours, self._line, entity_type, self._memory.books)
            for entity_id in await _until_it_works(listed):
                if entity_id not in graph and entity_id not in self._memory.sent:
                    around = partial(asking.relations_of, self._line, entity_id)
                    for relation, _ in await _until_it_works(around):
                        relation_id = str(relation.get("relationship_id"))
                        if relation.get("source") == asking.SOURCE and is_relation(relation_id):
                            self._memory.put(relation_id, UNSURE)
                    self._memory.put(entity_id, UNSURE)

    # --- The revision ----------------------------------------------------------------------------

    @property
    def _mark_id(self) -> str:
        return f"ledger:{self._memory.books}"

    async def _tell_revision(self) -> None:
        memory = self._memory
        memory.pending = memory.revision + 1
        entities, relations = memory.count()
        mark = Entity(
            self._mark_id, "ledger", "Books of Budget",
            {"revision": memory.pending, "entities": entities, "relations": relations},
        )  # fmt: skip
        await _until_it_works(lambda: asking.keep(self._line, mark, memory.books))
        await memory.note(revision=memory.pending, synced=False)
        await self._sync()

    async def _sync(self) -> None:
        await _until_it_works(lambda: asking.sync(self._line))
        await self._memory.note(synced=True)


async def _until_it_works(call: Callable[[], Awaitable[T]]) -> T:
    """What a call answers that may be made again; the last error, where it fails every time."""
    for left in range(TRIES - 1, -1, -1):
        try:
            return await call()
        except Unanswered as error:
            if error.status is None or not left:
                raise
        await asyncio.sleep(AGAIN_SECONDS)
    raise AssertionError


def _batches(work: Todo) -> Iterator[Todo]:
    for start in range(0, len(work), BATCH):
        yield work[start : start + BATCH]

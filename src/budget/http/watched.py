"""Watched: how the books stand, read once in a while for whoever watches.

Reading takes queries, so however often it is asked for, the books are read once in five seconds.
"""

import asyncio
import time
from typing import Final

from budget.domain.errors import BudgetError
from budget.engine.books import Books
from budget.engine.gauges import Gauges, read_gauges

READ_SECONDS: Final = 5.0


class Watched:
    """The gauges, read from the books once in a while, however many ask."""

    def __init__(self) -> None:
        self._asked: asyncio.Task[Gauges | None] | None = None
        self._asked_at = 0.0

    async def read(self, books: Books) -> Gauges | None:
        """The gauges of a moment ago; None where the books cannot be read."""
        now = time.monotonic()
        if self._asked is None or now - self._asked_at >= READ_SECONDS:
            self._asked_at = now
            self._asked = asyncio.create_task(asyncio.to_thread(_read, books))
        return await asyncio.shield(self._asked)


def _read(books: Books) -> Gauges | None:
    try:
        return read_gauges(books)
    except BudgetError:
        return None

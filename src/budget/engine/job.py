"""A job: one thing to do, not yet done; and who makes jobs, on behalf of whom.

Not here: which there are (`jobs`), and how they run (`budget`).
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from budget.engine.asks import LOCAL, Caller
from budget.engine.books import Books
from budget.engine.commands import Command
from budget.engine.ledger import CatalogueChange

T = TypeVar("T")


class Job(Generic[T]):
    """One thing to do: a command for the ledger, a change of the catalogue, or a read.

    `finish` completes the answer in the caller's hands, so that the writer need not. `prepare`
    makes the job itself, where that takes too long for an event loop.
    """

    __slots__ = ("change", "command", "finish", "prepare", "read")

    def __init__(
        self,
        command: Command | None = None,
        change: CatalogueChange | None = None,
        read: Callable[[], T] | None = None,
        finish: Callable[[T], T] | None = None,
        prepare: "Callable[[], Job[T]] | None" = None,
    ) -> None:
        self.command = command
        self.change = change
        self.read = read
        self.finish = finish
        self.prepare = prepare


class Maker:
    """Makes jobs on open books, on behalf of a caller; rooms add the methods that they know."""

    def __init__(self, books: Books, caller: Caller = LOCAL) -> None:
        self.books = books
        self.caller = caller

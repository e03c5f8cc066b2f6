"""A job: one thing to do, not yet done; and who makes jobs, on behalf of whom.

Not here: which there are (`jobs`), and how they run (`budget`).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from budget.domain.acts.act import Act
from budget.engine.books import Books
from budget.engine.callers import LOCAL, Caller
from budget.engine.commands import Command
from budget.engine.tickets import CatalogueChange

T = TypeVar("T")


class Job(Act[T]):
    """One thing to do: a command for the ledger or many, a change of the catalogue, or a read.

    Many `commands` are answered by a list, each with its answer or its error. `finish` completes
    the answer in the caller's hands, so that the writer need not. `prepare` makes the job itself,
    where that takes too long for an event loop.
    """

    __slots__ = ("change", "command", "commands", "finish", "prepare", "read")

    def __init__(
        self,
        command: Command | None = None,
        change: CatalogueChange | None = None,
        read: Callable[[], T] | None = None,
        finish: Callable[[Any], T] | None = None,
        prepare: "Callable[[], Job[T]] | None" = None,
        commands: Sequence[Command] | None = None,
    ) -> None:
        self.command = command
        self.change = change
        self.read = read
        self.finish = finish
        self.prepare = prepare
        self.commands = commands


def job_of(act: Act[T]) -> Job[T]:
    """An act that was made here, as the job that it is."""
    assert isinstance(act, Job)
    return act


class Maker:
    """Makes jobs on open books, on behalf of a caller; rooms add the methods that they know."""

    def __init__(self, books: Books, caller: Caller = LOCAL) -> None:
        self.books = books
        self.caller = caller

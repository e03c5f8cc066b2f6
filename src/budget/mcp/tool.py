"""A tool: what it is called, the right it needs, what it takes, does and answers.

Not here: which tools there are (`tools`).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from budget.domain.json_schemas import Schema, object_of, words
from budget.mcp.asking import Asking, Guest, Right, Told, check_right
from budget.mcp.fields import Field, read_arguments, schema_of_fields

PREFIX: Final = "budget_"

Run = Callable[[Asking], Awaitable[Told]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One line of the table. `former` is what Tekton's Budget called it.

    `changes` says whether anything is written, `again` whether calling it twice is as once.
    """

    name: str
    right: Right
    run: Run
    answer: type
    fields: tuple[Field, ...]
    former: str | None = None
    changes: bool = False
    again: bool = True

    @property
    def doc(self) -> str:
        """What it does, for whoever chooses among tools."""
        return words(self.run.__doc__)

    @property
    def title(self) -> str:
        """Its name, for people."""
        return self.name.removeprefix(PREFIX).replace("_", " ").capitalize()

    @property
    def asks(self) -> Schema:
        """The schema of its arguments."""
        return schema_of_fields(self.fields)

    @property
    def tells(self) -> Schema:
        """The schema of its answer."""
        return answer_schema(self.answer)


@lru_cache(maxsize=64)
def answer_schema(shape: type) -> Schema:
    """The schema of an answer, whole: nothing in it refers elsewhere."""
    return object_of(shape, answer_schema)


def prepared(tool: Tool, guest: Guest, given: Any, now_us: int) -> Asking:
    """A call of a tool, its right and its arguments checked; Forbidden or InvalidInput."""
    check_right(guest, tool.right)
    return Asking(guest, read_arguments(tool.fields, given), now_us)


def unique(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """The tools; fails the start if two have the same name or one says not what it does."""
    names = [name for one in tools for name in (one.name, one.former) if name]
    if len(set(names)) < len(names):
        raise ValueError("two tools have the same name")
    for one in tools:
        if not one.doc:
            raise ValueError(f"{one.name} says not what it does")
    return tuple(tools)

"""Asking: one call of a tool, by whom, and what is told in answer.

Not here: which tools there are (`tools`), and how a call arrives (`server`, `messages`).
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple, TypeVar

from budget.domain.acts import Acts
from budget.domain.acts.act import Act
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.facade import AsyncFacade

T = TypeVar("T")

Right = Literal["read", "spend", "manage"]
"""What a key needs to use a tool."""

ADMIN: Final = "admin"
_DRAW: Final = "draw"
EVERY_RIGHT: Final = frozenset({ADMIN})

Word = Literal["yes", "no", "unasked"]
"""What a person says who is asked: unasked where nobody could be."""


class Guest(NamedTuple):
    """Who calls: whose books they may ask, with which rights.

    `actor` is the key that counts as the attribute `key` of what is spent; None where whoever has
    the books sees to that. `bound` are the attributes that the key is bound to.
    """

    books: AsyncFacade
    rights: frozenset[str]
    actor: str | None = None
    bound: tuple[tuple[str, str], ...] = ()

    def may(self, right: str) -> bool:
        """Whether a key has a right."""
        draws = right == "spend" and _DRAW in self.rights
        return right in self.rights or ADMIN in self.rights or draws

    @property
    def unseen(self) -> str:
        """What is said of limits to a key that does not see all of them; nothing to others."""
        if not self.bound:
            return ""
        named = ", ".join(f"{key}={value}" for key, value in self.bound)
        return f"There may be limits that this key cannot see: it is bound to {named}."


async def nobody(message: str, state: str) -> Word:
    """Where no person can be asked."""
    del message, state
    return "unasked"


class Asking(NamedTuple):
    """One call of a tool: its arguments, read. `person` asks whoever sits before the client.

    It may raise Unasked, with a state that comes back as `earlier` when the call is made again.
    """

    guest: Guest
    given: Mapping[str, Any]
    now_us: int
    person: Callable[[str, str], Awaitable[Word]] = nobody
    earlier: str | None = None

    @property
    def acts(self) -> Acts:
        """What may be done, on behalf of the guest."""
        return self.guest.books.acts

    async def do(self, act: Act[T]) -> T:
        """Do it. A refusal is a value."""
        return await self.guest.books.run(act)

    def only(self, *names: str) -> dict[str, Any]:
        """Those of the arguments that were given."""
        return {name: self.given[name] for name in names if name in self.given}

    def text(self, name: str) -> str:
        """An argument that is required."""
        value: str = self.given[name]
        return value


class Told(NamedTuple):
    """An answer: as JSON in its shape, and in a few words for a model."""

    body: Mapping[str, Any]
    text: str


class Unasked(Exception):
    """A person is to be asked first: the client does so and calls again, with what was said.

    `state` comes back with that. Only clients that speak in rounds are told so.
    """

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.message = message
        self.state = state


@contextmanager
def blaming(made_from: Mapping[str, str]) -> Iterator[None]:
    """Errors in fields of an act name the arguments that these are made from."""
    try:
        yield
    except InvalidInput as error:
        if error.field not in made_from:
            raise
        raise _renamed(error, made_from[error.field]) from None


def _renamed(error: InvalidInput, name: str) -> InvalidInput:
    detail = error.detail.removeprefix(f"{error.field}: ")
    renamed = InvalidInput(name, detail, code=error.code)
    renamed.allowed = error.allowed  # which the detail lists already
    return renamed


def check_right(guest: Guest, right: str) -> None:
    """Forbidden without a right."""
    if not guest.may(right):
        raise Forbidden(f"This key lacks the right `{right}`; use one that has it.")

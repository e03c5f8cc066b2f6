"""Attributes by context: who spends and on what, said once for every call made inside a block.

They travel with `contextvars`: asyncio tasks inherit them, and callbacks too. A thread starts with
an empty context in Python 3.11, so a function for a thread is `carried`, or a pool is a
`CarryingPool`. Not here: what an attribute may be called (`domain.attributes`).
"""

import contextvars
import functools
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Final, ParamSpec, Self, TypeVar

from budget.domain.attributes import parse_attributes

P = ParamSpec("P")
R = TypeVar("R")

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_HERE: ContextVar[Mapping[str, str]] = ContextVar("budget_attributes", default=_NONE)
_ENVELOPE: ContextVar[str | None] = ContextVar("budget_envelope", default=None)


class attributes:
    """Say who spends, for every call in the block: `with budget.attributes(user="ann"):`.

    Blocks nest; of the same attribute the inner one counts. Free attributes are `tag_<name>`, or
    given as a mapping: `budget.attributes({"tag.run": "7"})`. One that is None is left out, also
    where an outer block says it. InvalidInput for an unknown name.
    """

    __slots__ = ("_said", "_tokens")

    def __init__(
        self, said: Mapping[str, str | None] | None = None, /, **named: str | None
    ) -> None:
        given = {**(said or {}), **{_spelt(name): value for name, value in named.items()}}
        parse_attributes(given)
        self._said: dict[str, str | None] = given
        self._tokens: list[Token[Mapping[str, str]]] = []

    def __enter__(self) -> Self:
        merged = {**_HERE.get(), **self._said}
        known = {name: value for name, value in merged.items() if value is not None}
        self._tokens.append(_HERE.set(parse_attributes(known)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        _HERE.reset(self._tokens.pop())

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__()

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """As a decorator it counts while the function runs."""
        from budget.sdk.wrapping import within

        return within(lambda: attributes(self._said), fn)


def _spelt(name: str) -> str:
    return f"tag.{name[4:]}" if name.startswith("tag_") else name


def current_attributes() -> dict[str, str]:
    """The attributes of calls made here and now."""
    return dict(_HERE.get())


def current_envelope() -> str | None:
    """The envelope that calls made here and now draw on: the block's, else BUDGET_PARENT_ID."""
    return _ENVELOPE.get() or os.environ.get("BUDGET_PARENT_ID", "").strip() or None


def enter_envelope(allocation_id: str) -> Token[str | None]:
    """Calls made from now on draw on this envelope, until `leave_envelope`."""
    return _ENVELOPE.set(allocation_id)


def leave_envelope(token: Token[str | None]) -> None:
    """Calls draw on what they drew on before."""
    _ENVELOPE.reset(token)


def carried(fn: Callable[P, R]) -> Callable[P, R]:
    """The function, with the attributes and the envelope of here wherever it will run.

    For threads: `Thread(target=budget.carried(work))`, `pool.submit(budget.carried(work), ...)`.
    """
    context = contextvars.copy_context()

    @functools.wraps(fn)
    def carrying(*args: P.args, **kwargs: P.kwargs) -> R:
        # A copy for each call: a context cannot be entered by two threads at once.
        return context.copy().run(fn, *args, **kwargs)

    return carrying


class CarryingPool(ThreadPoolExecutor):
    """A `ThreadPoolExecutor` whose work has the attributes of where it was submitted."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Run it in a thread, with the attributes and the envelope of here."""
        return super().submit(carried(fn), *args, **kwargs)

"""Wrapping: a function that runs inside a block, whatever kind of function it is.

Plain and async functions, generators and async generators; each call has a block of its own.
Not here: which block (`attributes`, `limited`).
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Block(Protocol):
    """A block that can be entered by `with` and by `async with`."""

    def __enter__(self) -> object:
        """Enter it."""

    def __exit__(self, *of: Any) -> bool | None:
        """Leave it."""

    async def __aenter__(self) -> object:
        """Enter it on an event loop."""

    async def __aexit__(self, *of: Any) -> bool | None:
        """Leave it on an event loop."""


def within(block: Callable[[], Block], fn: Callable[P, R]) -> Callable[P, R]:
    """The function, each of whose calls runs inside a block made for it."""
    call: Any = fn
    made: Any
    if inspect.isasyncgenfunction(fn):

        async def made(*args: Any, **kwargs: Any) -> Any:
            inner = call(*args, **kwargs)
            step = functools.partial(inner.asend, None)
            try:
                while True:
                    async with block():
                        item = await step()
                    try:
                        step = functools.partial(inner.asend, (yield item))
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - it is the generator's to catch
                        step = functools.partial(inner.athrow, error)
            except StopAsyncIteration:
                return
            finally:
                await inner.aclose()

    elif inspect.iscoroutinefunction(fn):

        async def made(*args: Any, **kwargs: Any) -> Any:
            async with block():
                return await call(*args, **kwargs)

    elif inspect.isgeneratorfunction(fn):

        def made(*args: Any, **kwargs: Any) -> Any:
            inner = call(*args, **kwargs)
            step = functools.partial(inner.send, None)
            try:
                while True:
                    with block():
                        try:
                            item = step()
                        except StopIteration as end:
                            return end.value
                    try:
                        step = functools.partial(inner.send, (yield item))
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - it is the generator's to catch
                        step = functools.partial(inner.throw, error)
            finally:
                inner.close()

    else:

        def made(*args: Any, **kwargs: Any) -> Any:
            with block():
                return call(*args, **kwargs)

    return cast(Callable[P, R], functools.wraps(fn)(made))

"""An act: one thing to do with the books, not yet done, whose answer is a T.

Who has the books open does it (`engine.job.Job`), who asks a service sends it
(`client.request.Request`). Not here: which acts there are (`acts`).
"""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Told how much is done, of how much in all."""


class Act(Generic[T]):
    """One thing to do; those who make acts do them too."""

    __slots__ = ()

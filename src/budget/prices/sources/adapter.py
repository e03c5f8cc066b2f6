"""The adapter: what every source of prices is to the rest of the house.

Not here: how bytes come (`outbound.fetching`), and what happens to a feed that is read.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from budget.domain.errors import InvalidInput
from budget.prices.listings import Feed


class BadFeed(InvalidInput):
    """Bytes that are no feed of the source: nothing of them is applied."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__("feed", f"is not what {source} publishes, so nothing is changed: {why}")


class Adapter(Protocol):
    """Reads what one source publishes."""

    @property
    def name(self) -> str:
        """Such as `litellm`: the first part of a basis."""
        ...

    @property
    def url(self) -> str:
        """Where its maker publishes it."""
        ...

    def read(self, data: bytes, version: str) -> Feed:
        """The feed in the bytes, under a version (for most the day they came). BadFeed if they are
        no such thing; single models that are odd are skipped, and said so.
        """
        ...


class Format(NamedTuple):
    """An adapter made of one function."""

    name: str
    url: str
    read: Callable[[bytes, str], Feed]

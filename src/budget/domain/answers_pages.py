"""Pages: parts of long lists, as values. How a part is found is `engine.pages`."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_cursor` asks for the part after it, None when there is none."""

    items: list[T]
    next_cursor: str | None = None

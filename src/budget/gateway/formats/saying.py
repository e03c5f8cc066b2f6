"""Saying: the text of a streamed answer, which comes in many small pieces and is joined in lots.

Not here: where in an answer the text belongs (the transcripts of the formats).
"""

from abc import ABC, abstractmethod
from typing import Final

MOST_APART: Final = 64
"""How many pieces are kept before they are joined: each alone is larger than its text."""


class Saying(ABC):
    """What transcripts have in common."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: list[str] = []

    def say(self, text: str) -> None:
        """Hear more text, where the last event that was `plain` brought some."""
        self._said.append(text)
        if len(self._said) > MOST_APART:
            self._join_said()

    def _join_said(self) -> None:
        if self._said:
            text = "".join(self._said)
            self._said.clear()
            self._take_said(text)

    @abstractmethod
    def _take_said(self, text: str) -> None:
        """Put text where it belongs in the answer."""

"""Metering: how many output tokens have come, while they come.

Two counts: one that is surely not too low, by which money is held ahead, and one that is near the
truth, which is booked where the provider tells nothing. Texts are counted in lots, so that a stream
costs little. Not here: the figures of providers (`domain.responses`), and what follows (`passing`).
"""

from typing import Final

from budget.domain.text_tokens import FAMILIES, family_of, text_tokens_bound
from budget.prices import exact_tokens

_WHOLE_MILLI: Final = 1000
_LOT_BYTES: Final = 256
"""Fewer bytes than this are not counted yet, but taken as a token each."""


class Meter:
    """Takes the texts of one answer. `is_exact`: the encoding of its model is known."""

    __slots__ = ("_counted", "_family", "_lot", "_model", "_provider", "_waiting", "is_exact")

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self.is_exact = exact_tokens.is_exact(provider, model)
        self._family = family_of(provider, model)
        self._lot: list[str] = []
        self._waiting = 0
        self._counted = 0

    def hear(self, texts: list[str]) -> None:
        """Take more of the answer."""
        for text in texts:
            self._lot.append(text)
            self._waiting += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))

    def at_most(self, over: int) -> int:
        """So many tokens at most, if that is not over; else counted closely.

        A byte is a token at most, so texts are looked at only when that sum goes over.
        """
        if self._counted + self._waiting > over and self._waiting >= _LOT_BYTES:
            self._count()
        if self._counted + self._waiting <= over:
            return self._counted + self._waiting
        return self._counted + self._close(self._lot)

    def likely(self) -> int:
        """As many tokens as there are, exactly where the model's encoding is known."""
        self._count()
        if self.is_exact:
            return self._counted
        return self._counted * _WHOLE_MILLI // FAMILIES[self._family].scale_milli

    def surely(self) -> int:
        """As many tokens as there are, or more."""
        self._count()
        return self._counted

    def _count(self) -> None:
        if self._lot:
            self._counted += self._close(self._lot)
            self._lot, self._waiting = [], 0

    def _close(self, lot: list[str]) -> int:
        text = "".join(lot)
        if self.is_exact:
            return exact_tokens.text_tokens(text, provider=self._provider, model=self._model)
        return text_tokens_bound(text, self._family)

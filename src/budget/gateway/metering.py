"""Metering: how many output tokens have come, while they come.

Two counts: one that is surely not too low, by which money is held ahead, and one that is near the
truth, which is booked where the provider tells nothing. Texts are counted in lots, so that a stream
costs little. Not here: the figures of providers (`domain.responses`), and what follows (`passing`).
"""

from typing import Final

from budget.domain.text_tokens import FAMILIES, SLACK_TOKENS, family_of, text_tokens_bound
from budget.gateway.ratios import Name
from budget.prices import exact_tokens

_WHOLE_MILLI: Final = 1000
_DOUBT_TOKENS: Final = 4
_LOT_BYTES: Final = 512
"""Texts are counted for good in lots of so many bytes, what is left over again and again."""


def doubt_tokens(tokens: int, *, is_exact: bool) -> int:
    """By how many a count of about so many may be too high."""
    return _DOUBT_TOKENS + tokens // (50 if is_exact else 10)


class Meter:
    """Takes the texts of one answer. `is_exact`: the encoding of its model is known; `name` is
    under what it is compared with what the provider tells.
    """

    __slots__ = (
        "_counted",
        "_family",
        "_lot",
        "_model",
        "_provider",
        "_waiting",
        "is_exact",
        "name",
    )

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self.is_exact = exact_tokens.is_exact(provider, model)
        self.name: Name = ("output", provider, model)
        self._family = family_of(provider, model)
        self._lot: list[str] = []
        self._waiting = 0
        self._counted = 0

    def hear(self, texts: list[str]) -> None:
        """Take more of the answer."""
        for text in texts:
            self.hear_text(text)

    def hear_text(self, text: str) -> None:
        """Take one more piece of it."""
        self._lot.append(text)
        self._waiting += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))

    def at_most(self, over: int) -> int:
        """So many tokens at most, if that is not over; else counted closely.

        A byte is a token at most, so texts are looked at only when that sum goes over.
        """
        quickly = self._counted + self._waiting
        return quickly if quickly <= over else self.surely()

    def is_over(self, tokens: int) -> bool:
        """Whether more than so many have come, even if the count is a little too high."""
        if self.at_most(tokens) <= tokens:
            return False
        return self.likely() > tokens + self.doubt(tokens)

    def within(self, tokens: int) -> int:
        """As many as there likely are; not more than so many, unless it `is_over`."""
        likely = self.likely()
        return min(likely, tokens) if likely <= tokens + self.doubt(tokens) else likely

    def doubt(self, tokens: int) -> int:
        """By how many a count of about so many may be too high."""
        return doubt_tokens(tokens, is_exact=self.is_exact)

    def likely(self) -> int:
        """As many tokens as there are, exactly where the model's encoding is known."""
        count = self.surely()
        return count if self.is_exact else self.unscaled(count)

    def unscaled(self, tokens: int) -> int:
        """A bound without what was added to it because the model's encoding is not known."""
        return tokens * _WHOLE_MILLI // FAMILIES[self._family].scale_milli

    def surely(self) -> int:
        """As many tokens as there are, or more."""
        if not self._lot:
            return self._counted
        text = "".join(self._lot)
        self._lot = [text]
        if self._waiting < _LOT_BYTES:
            return self._counted + self._count(text)
        # Encodings begin a token with the blank before a word: there a text may be parted.
        end = text.rfind(" ")
        end = end if end > 0 else len(text)
        self._counted += self._count(text[:end]) - (0 if self.is_exact else SLACK_TOKENS)
        self._lot, self._waiting = [], 0
        if end < len(text):
            self.hear([text[end:]])
        return self._counted + self._count(text[end:])

    def _count(self, text: str) -> int:
        if not text:
            return 0
        if self.is_exact:
            return exact_tokens.text_tokens(text, provider=self._provider, model=self._model)
        return text_tokens_bound(text, self._family)

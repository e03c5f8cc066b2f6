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


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


class Meter:
    """Takes the texts of one answer. `is_exact`: the encoding of its model is known; `name` is
    under what it is compared with what the provider tells.
    """

    __slots__ = (
        "_closely", "_counted", "_family", "_lot", "_lot_bytes", "_model", "_provider", "_seen",
        "_unseen_bytes", "is_exact", "name",
    )  # fmt: skip

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self.is_exact = exact_tokens.is_exact(provider, model)
        self.name: Name = ("output", provider, model)
        self._family = family_of(provider, model)
        self._lot: list[str] = []
        self._lot_bytes = 0
        self._counted = 0
        """Tokens of the lots before this one."""
        self._seen = 0
        """Tokens of what was counted last, at least; behind it came so many bytes."""
        self._unseen_bytes = 0
        self._closely: int | None = 0
        """The count of all that came, if nothing came since."""

    def hear(self, texts: list[str]) -> None:
        """Take more of the answer."""
        for text in texts:
            self.hear_text(text)

    def hear_text(self, text: str) -> None:
        """Take one more piece of it."""
        self._lot.append(text)
        size = _bytes_of(text)
        self._lot_bytes += size
        self._unseen_bytes += size
        self._closely = None

    def at_most(self, over: int) -> int:
        """So many tokens at most, if that is not over; else counted closely.

        A byte is a token at most, so what came since the last count is looked at only when that sum
        goes over.
        """
        quickly = self._seen + self._unseen_bytes
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
        if self._closely is None:
            self._closely = self._look()
        return self._closely

    def _look(self) -> int:
        """Count closely what has come."""
        text = "".join(self._lot)
        # Encodings begin a token with the blank before a word: there a text may be parted.
        end = text.rfind(" ")
        if self._lot_bytes >= _LOT_BYTES:
            end = end if end > 0 else len(text)
            self._counted += self._count(text[:end]) - (0 if self.is_exact else SLACK_TOKENS)
            text, end = text[end:], 0
            self._lot_bytes = _bytes_of(text)
        self._lot = [text]
        count = self._counted + self._count(text)
        # What comes may change the tokens of the last word, but not those before it.
        self._seen = count if end > 0 else self._counted
        self._unseen_bytes = _bytes_of(text[end:]) if end > 0 else self._lot_bytes
        return count

    def _count(self, text: str) -> int:
        if not text:
            return 0
        if self.is_exact:
            return exact_tokens.text_tokens(text, provider=self._provider, model=self._model)
        return text_tokens_bound(text, self._family)

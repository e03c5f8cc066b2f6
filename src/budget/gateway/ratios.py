"""Ratios: what providers told, for what was counted here, by model.

Where a provider tells nothing, what was counted is put right by what it told of other calls. Kept
in this process. Not here: the counts (`metering`, `domain.estimating`), and holds, which stay
bounds.
"""

from collections import OrderedDict
from typing import Final, Literal

Kind = Literal["input", "output"]
Name = tuple[Kind, str, str]
"""(kind, provider, model)."""

FEWEST: Final = 5
MANY: Final = 50
EVERY: Final = 50
KEPT_TOKENS: Final = 1_000_000
"""When so many were counted the sums are halved: what was learnt long ago fades."""
MOST_KNOWN: Final = 10_000
_STRANGE: Final = 5
"""A ratio of so much, or as little, says that something else was counted."""


class Ratios:
    """Sums of what was counted and told; of one event loop."""

    def __init__(self) -> None:
        self._sums: OrderedDict[Name, tuple[int, int, int]] = OrderedDict()

    def wants(self, name: Name) -> bool:
        """Whether one more comparison is worth its counting: of few calls each, then of some."""
        calls = self._sums.get(name, (0, 0, 0))[2]
        if calls >= MANY:
            self._sums[name] = (*self._sums[name][:2], calls + 1)
        return calls < MANY or calls % EVERY == 0

    def learn(self, name: Name, counted_tokens: int, told_tokens: int) -> None:
        """Compare the counts of one call."""
        if not counted_tokens < told_tokens * _STRANGE <= counted_tokens * _STRANGE**2:
            return
        counted, told, calls = self._sums.pop(name, (0, 0, 0))
        if counted > KEPT_TOKENS:
            counted, told = counted // 2, told // 2
        self._sums[name] = (counted + counted_tokens, told + told_tokens, calls + 1)
        if len(self._sums) > MOST_KNOWN:
            self._sums.popitem(last=False)

    def knows(self, name: Name) -> bool:
        """Whether enough calls were compared."""
        return self._sums.get(name, (0, 0, 0))[2] >= FEWEST

    def likely(self, name: Name, counted_tokens: int) -> int:
        """What the provider would tell for such a count; the count itself while little is known."""
        if not self.knows(name):
            return counted_tokens
        counted, told, _ = self._sums[name]
        return -(-counted_tokens * told // counted)

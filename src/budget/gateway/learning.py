"""Learning: how much calls of a caller to a model write, to hold for those that set no limit.

Kept in this process, from what calls settled. Not here: what input has (`engine.factors`).
"""

from collections import OrderedDict, deque
from typing import Final

FIRST_GRANT: Final = 512
"""Held until enough is known."""
LEAST_GRANT: Final = 64
MOST_GRANT: Final = 32_768
FEWEST: Final = 10
KEPT: Final = 200
MOST_KNOWN: Final = 10_000

Name = tuple[str, str, str]
"""(actor, provider, model)."""


class Outputs:
    """What calls wrote lately, by who called which model."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Name, deque[int]] = OrderedDict()

    def learn(self, name: Name, output_tokens: int) -> None:
        """One more call has ended by itself."""
        seen = self._seen.get(name)
        if seen is None:
            seen = self._seen[name] = deque(maxlen=KEPT)
            if len(self._seen) > MOST_KNOWN:
                self._seen.popitem(last=False)
        self._seen.move_to_end(name)
        seen.append(output_tokens)

    def grant(self, name: Name) -> int:
        """As much as 95 of 100 calls wrote at most, with a tenth more."""
        seen = self._seen.get(name)
        if seen is None or len(seen) < FEWEST:
            return FIRST_GRANT
        ordered = sorted(seen)
        usual = ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
        return max(LEAST_GRANT, min(MOST_GRANT, usual + usual // 10))

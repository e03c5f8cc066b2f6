"""Learning: how much calls of a caller to a model write, to hold for those that set no limit.

Kept in this process, from what calls settled. Not here: what was before (`remembering`), and what
input has (`engine.factors`).
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

from budget.gateway.capping import Usual

FIRST_GRANT: Final = 512
"""Held until enough is known."""
LEAST_GRANT: Final = 64
MOST_GRANT: Final = 32_768
FEWEST: Final = 10
MANY: Final = 50
KEPT: Final = 200
MOST_KNOWN: Final = 10_000

Name = tuple[str, str, str]
"""(actor, provider, model)."""


class Outputs:
    """What calls wrote lately, by who called which model; and which models keep to no limit."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Name, deque[int]] = OrderedDict()
        self._unruly: set[tuple[str, str]] = set()

    def is_new(self, name: Name) -> bool:
        """Whether this is the first that is heard of it: what was before may be recalled."""
        if name in self._seen:
            return False
        self._begun(name)
        return True

    def recall(self, name: Name, output_tokens: Sequence[int]) -> None:
        """What calls wrote before this process began, the newest last."""
        seen = self._begun(name)
        self._seen[name] = deque([*output_tokens, *seen], maxlen=KEPT)

    def forget(self, name: Name) -> None:
        """It is as new again, unless calls have taught meanwhile."""
        if not self._seen.get(name):
            self._seen.pop(name, None)

    def learn(self, name: Name, output_tokens: int) -> None:
        """One more call has ended by itself."""
        self._begun(name).append(output_tokens)

    def _begun(self, name: Name) -> deque[int]:
        seen = self._seen.get(name)
        if seen is None:
            seen = self._seen[name] = deque(maxlen=KEPT)
            if len(self._seen) > MOST_KNOWN:
                self._seen.popitem(last=False)
        self._seen.move_to_end(name)
        return seen

    def heard(
        self,
        name: Name,
        wrote_tokens: int,
        answers: int,
        *,
        own_limit: int | None,
        our_limit: int | None,
    ) -> None:
        """Remember what was written; more, if a limit of ours ended it; not if its caller's did."""
        limit = own_limit or our_limit
        if limit is not None and wrote_tokens > limit:
            self.went_beyond(*name[1:])
        elif limit is not None and wrote_tokens == limit:
            if own_limit is not None:
                return
            wrote_tokens *= 2
        self.learn(name, wrote_tokens // answers)

    def grant(self, name: Name) -> int:
        """As much as 95 of 100 calls wrote at most, with a tenth more."""
        seen = self._seen.get(name)
        if seen is None or len(seen) < FEWEST:
            return FIRST_GRANT
        ordered = sorted(seen)
        usual = ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
        return max(LEAST_GRANT, min(MOST_GRANT, usual + usual // 10))

    def usual(self, name: Name, most: int | None) -> Usual:
        """The same with what else is known; `most` is what the model can write at most."""
        tokens, known = self.grant(name), len(self._seen.get(name, ()))
        if most is not None:
            tokens = min(tokens, most)
        return Usual(tokens, tokens if known >= FEWEST else LEAST_GRANT, known >= MANY, most)

    def went_beyond(self, provider: str, model: str) -> None:
        """A call wrote more than its limit: from now on what calls usually write is held."""
        if len(self._unruly) < MOST_KNOWN:
            self._unruly.add((provider, model))

    def keeps_to_limits(self, provider: str, model: str) -> bool:
        """Whether no call of the model was seen to write more than it was allowed."""
        return (provider, model) not in self._unruly

"""Learning: how much calls of a caller to a model write, to hold for those that set no limit.

Kept in this process, from what calls settled. Not here: what was before (`remembering`), and what
input has (`engine.factors`).
"""

from array import array
from collections import OrderedDict
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


class _Written:
    """What calls of one name wrote lately, the newest last."""

    __slots__ = ("_grant", "_tokens")

    def __init__(self, tokens: Sequence[int] = ()) -> None:
        self._tokens = array("q", tokens[-KEPT:])  # a deque is five times as large
        self._grant: int | None = None

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, tokens: int) -> None:
        """One more."""
        self._tokens.append(tokens)
        del self._tokens[:-KEPT]
        self._grant = None

    def after(self, tokens: Sequence[int]) -> "_Written":
        """The same, after what was written before."""
        return _Written([*tokens, *self._tokens])

    def grant(self) -> int:
        """As much as 95 of 100 calls wrote at most, with a tenth more."""
        if self._grant is None:
            self._grant = self._reckoned()
        return self._grant

    def _reckoned(self) -> int:
        count = len(self._tokens)
        if count < FEWEST:
            return FIRST_GRANT
        usual = sorted(self._tokens)[min(count - 1, count * 95 // 100)]
        return max(LEAST_GRANT, min(MOST_GRANT, usual + usual // 10))


class Outputs:
    """What calls wrote lately, by who called which model; and which models keep to no limit."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Name, _Written] = OrderedDict()
        self._unruly: set[tuple[str, str]] = set()

    def is_new(self, name: Name) -> bool:
        """Whether this is the first that is heard of it: what was before may be recalled."""
        if name in self._seen:
            return False
        self._begun(name)
        return True

    def recall(self, name: Name, output_tokens: Sequence[int]) -> None:
        """What calls wrote before this process began, the newest last."""
        self._seen[name] = self._begun(name).after(output_tokens)

    def forget(self, name: Name) -> None:
        """It is as new again, unless calls have taught meanwhile."""
        if not self._seen.get(name):
            self._seen.pop(name, None)

    def learn(self, name: Name, output_tokens: int) -> None:
        """One more call has ended by itself."""
        self._begun(name).add(output_tokens)

    def _begun(self, name: Name) -> _Written:
        seen = self._seen.get(name)
        if seen is None:
            seen = self._seen[name] = _Written()
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
        """As much as calls of this name usually write at most, and some more."""
        seen = self._seen.get(name)
        return FIRST_GRANT if seen is None else seen.grant()

    def usual(self, name: Name, most: int | None) -> Usual:
        """The same with what else is known; `most` is what the model can write at most."""
        seen = self._seen.get(name)
        tokens, known = (FIRST_GRANT, 0) if seen is None else (seen.grant(), len(seen))
        if most is not None and most < tokens:
            tokens = most
        return Usual(tokens, tokens if known >= FEWEST else LEAST_GRANT, known >= MANY, most)

    def went_beyond(self, provider: str, model: str) -> None:
        """A call wrote more than its limit: from now on what calls usually write is held."""
        if len(self._unruly) < MOST_KNOWN:
            self._unruly.add((provider, model))

    def keeps_to_limits(self, provider: str, model: str) -> bool:
        """Whether no call of the model was seen to write more than it was allowed."""
        return (provider, model) not in self._unruly

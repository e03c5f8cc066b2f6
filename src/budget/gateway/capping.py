"""Capping: calls whose caller sets no limit get one where money is short, and hold all of it.

An answer that comes at once, or is thought in secret, cannot be cut in time. As long as the limits
have room for every call under way to write as much as its model can, that does no harm; where they
have not, the upstream is told how much it may write, and no less is held. Not here: holds that grow
(`growing`), and what calls usually write (`learning`).
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from budget.domain.answers import Allocation, BalanceView
from budget.domain.pricing import output_rate_dearest
from budget.engine.commands import Place

MORE_CALLS: Final = 8
"""So many calls more than are under way could begin before the next one is looked at."""
LEAST_SHARE: Final = 2
MOST_SHARE: Final = 16
"""Of what is left, a call takes at most one part in so many for its limit, by how many come."""
TIMES_USUAL: Final = 4
FIRST_CAP: Final = 2048
SAFE_CAP: Final = 4096
"""Every model that writes takes a limit of so many tokens."""
UNKNOWN_MOST: Final = 32_768
MOST_KNOWN: Final = 10_000


class Usual(NamedTuple):
    """What a call of a caller to a model writes, with something to spare, and `least` if little
    is known. `is_sure`: many calls say so. `most` is what the model can write at most; None: nobody
    knows.
    """

    tokens: int
    least: int
    is_sure: bool
    most: int | None

    def wanted(self, unspent: int | None, calls: int) -> int:
        """What to hold, and allow, where so many tokens are unspent and so many calls want some;
        None: it is not known.
        """
        cap = TIMES_USUAL * self.tokens if self.is_sure else FIRST_CAP
        cap = min(cap, self.most or SAFE_CAP)
        if unspent is None:
            return max(self.tokens, cap)
        share = unspent // max(LEAST_SHARE, min(MOST_SHARE, calls))
        return max(self.least, min(cap, share))

    def can_be_told(self, tokens: int) -> bool:
        """Whether the model takes such a limit."""
        return tokens <= (self.most or SAFE_CAP)

    def is_short(self, unspent: int | None, calls: int) -> bool:
        """Whether so many tokens are less than so many calls, and some, could write at most."""
        return unspent is None or unspent < (calls + MORE_CALLS) * (self.most or UNKNOWN_MOST)


Name = tuple[frozenset[tuple[str, str]], str | None, str | None]
"""(balances, provider, model)."""


class Unspent:
    """How many output tokens the limits of calls had unspent, when they were looked at last."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Name, int | None] = OrderedDict()

    def saw(self, name: Name, tokens: int | None) -> None:
        """A call was held, and this was left; None: it is not known."""
        self._seen[name] = tokens
        self._seen.move_to_end(name)
        if len(self._seen) > MOST_KNOWN:
            self._seen.popitem(last=False)

    def is_known(self, name: Name) -> bool:
        """Whether any was looked at."""
        return name in self._seen

    def of(self, name: Name) -> int | None:
        """What was left; None: it is not known."""
        return self._seen.get(name)


def is_limited(allocation: Allocation) -> bool:
    """Whether a hard limit or an envelope bounds a call."""
    return allocation.parent_id is not None or any(_is_hard(leg) for leg in allocation.legs)


def unspent_of(legs: Iterable[BalanceView], place: Place) -> int | None:
    """For how many output tokens the hard limits have money that is not spent, held or not.

    None where no limit tells.
    """
    found = []
    for leg in legs:
        if not _is_hard(leg):
            continue
        left = max(0, leg.limit - leg.spent - leg.assumed)
        if leg.policy.unit in ("tokens", "output_tokens"):
            found.append(left)
        elif leg.policy.unit == "usd" and place.rates is not None:
            rate = output_rate_dearest(place.rates, place.input_tokens or 0)
            if rate:
                found.append(left * 1000 // rate)
    return min(found) if found else None


def _is_hard(leg: BalanceView) -> bool:
    return leg.policy.enforcement == "hard_limit"

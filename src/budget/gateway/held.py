"""Held: a call that may go, with its hold; and what budgeting writes into its request.

Not here: how it comes to its hold (`passing`), and what is done with it then (`attempt`).
"""

from typing import NamedTuple

from budget.engine.commands import Place
from budget.gateway.asking import Plan
from budget.gateway.capping import is_limited
from budget.gateway.formats.format import Asked, Changes
from budget.gateway.holding import Holding
from budget.gateway.labels import Header


class Held(NamedTuple):
    """A call that may go: what it asks and was planned for it, and the hold.

    `renamed` is the model's name to write into the request, if another than it came with. `since`
    is when the call began. `told_tokens` is the most that all answers may have together, where the
    caller sets no limit and one is needed; all of it is held.
    """

    asked: Asked
    renamed: str | None
    plan: Plan
    place: Place
    holding: Holding
    since: float
    told_tokens: int | None = None
    labels: tuple[Header, ...] = ()
    """What its answer tells of how the call was changed, or might be."""

    @property
    def is_limited(self) -> bool:
        """Whether its answer must not cost more than what is held for it."""
        return is_limited(self.holding.allocation) or self.plan.ceiling_tokens is not None

    def changes(self, *, limited: bool) -> Changes:
        """What is written into the request of a call that is `limited`, or is not."""
        asked = self.asked
        mark = self.holding.allocation.allocation_id if asked.later else None
        most = self._most_tokens(limited=limited)
        return Changes(self.renamed, most, limited and asked.can_stream, mark)

    def _most_tokens(self, *, limited: bool) -> int | None:
        """The most output tokens to write into it, for each answer; None: as it is."""
        plan, granted = self.plan, self.holding.granted_tokens
        if self.asked.later:
            return plan.most_tokens if limited else None
        if not self.asked.can_stream or not (limited or plan.is_told):
            return None
        if plan.most_tokens is not None:
            is_said = granted >= plan.most_tokens and not plan.is_told
            return None if is_said else max(1, granted // plan.answers)
        told = self.told_tokens
        return None if told is None else max(1, told // plan.answers)

    def allowed_tokens(self) -> int | None:
        """What the upstream was told that it may write; None: nothing."""
        most = self.plan.most_tokens
        return self.told_tokens if most is None else min(most, self.holding.granted_tokens)

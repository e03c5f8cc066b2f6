"""Acts about the past priced again, and about what a request comes to.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Any, Protocol, Unpack

from budget.domain.acts.act import Act, Progress
from budget.domain.answers_estimates import Estimate, FamilyFactor, Learning
from budget.domain.answers_rating import Coverage, Rerating, WhatIf
from budget.domain.asks import EstimateAsk
from budget.domain.asks_prices import RerateAsk, WhatIfAsk


class RatingActs(Protocol):
    """The methods."""

    def estimate(self, **ask: Unpack[EstimateAsk]) -> Act[Estimate]:
        """Say how many input tokens a request has at most, and what it would hold. Nothing of it is
        kept.
        """

    def factors(self) -> Act[list[FamilyFactor]]:
        """What settled calls have taught about the bounds of each family of models."""

    def learn(self) -> Act[Learning]:
        """Learn from the calls that were settled since the last time. A service does so itself."""

    def rerate(
        self, *, book: Any = None, progress: Progress | None = None, **ask: Unpack[RerateAsk]
    ) -> Act[Rerating]:
        """Say what usage since a time costs at the prices in force now, or by another book.

        `basis` names a snapshot whose prices count in place of its source's; `book` is any other.
        With `apply` and a `reason` what differs is booked, as corrections; run again, it changes
        nothing more.
        """

    def what_if(self, *, progress: Progress | None = None, **ask: Unpack[WhatIfAsk]) -> Act[WhatIf]:
        """Say what past usage would have cost with models exchanged. Nothing is booked."""

    def coverage(self, *, since: str | None = None, until: str | None = None) -> Act[Coverage]:
        """Say how much of what was seen has a price now, and how sure that is."""

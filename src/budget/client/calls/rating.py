"""Calls about the past priced again, and about what a request comes to."""

from collections.abc import Callable
from typing import Any, Unpack

from budget.client.reading import estimates
from budget.client.reading import rating as read
from budget.client.request import DatabaseOnly, Request, get, once
from budget.client.request import ask as asking
from budget.domain.answers_estimates import Estimate, FamilyFactor, Learning
from budget.domain.answers_rating import Coverage, Rerating, WhatIf
from budget.domain.asks import EstimateAsk
from budget.domain.asks_prices import RerateAsk, WhatIfAsk

Progress = Callable[[int, int], None]


class RatingCalls:
    """The methods. A service tells no progress."""

    def estimate(self, **ask: Unpack[EstimateAsk]) -> Request[Estimate]:
        return asking("/estimate", estimates.estimate, ask)

    def factors(self) -> Request[list[FamilyFactor]]:
        return get("/estimate/factors", estimates.factors)

    def learn(self) -> Request[Learning]:
        """A service does so by itself."""
        raise DatabaseOnly("learn", "a service learns by itself.")

    def rerate(
        self, *, book: Any = None, progress: Progress | None = None, **ask: Unpack[RerateAsk]
    ) -> Request[Rerating]:
        """Another book than the service's is for a database alone: DatabaseOnly."""
        del progress
        if book is not None:
            raise DatabaseOnly("A price book of one's own")
        return once("/prices/rerate", read.rerating, ask, patient=True)

    def what_if(
        self, *, progress: Progress | None = None, **ask: Unpack[WhatIfAsk]
    ) -> Request[WhatIf]:
        del progress
        return asking("/prices/whatif", read.what_if, ask, patient=True)

    def coverage(self, *, since: str | None = None, until: str | None = None) -> Request[Coverage]:
        return get("/prices/coverage", read.coverage, {"since": since, "until": until})

"""Routes that set a limit in one call, under both of its paths."""

from typing import Final

from budget.domain.asks_budgets import LimitAsk
from budget.domain.shapes_limits import LimitSetShape
from budget.domain.wire.limits import limit_set
from budget.engine.jobs import Jobs
from budget.http.calls import act
from budget.http.route import V1, Route

set_limit = act(Jobs.set_limit, limit_set)

LIMITS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/limits", "manage", set_limit, LimitAsk, LimitSetShape),
    Route("POST", "/api/limits", "manage", set_limit, LimitAsk, LimitSetShape),
)

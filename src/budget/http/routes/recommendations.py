"""The routes that recommend models, and say which one a call should go to."""

from typing import Final

from budget.domain.asks_prices import RecommendAsk
from budget.domain.asks_routing import RouteAsk
from budget.domain.shapes_recommendations import RecommendationsShape
from budget.domain.shapes_routing import RoutingShape
from budget.domain.wire.recommendations import recommendations
from budget.domain.wire.routing import routing
from budget.engine.jobs import Jobs
from budget.http.calls import act, act_of_key
from budget.http.route import V1, Route

RECOMMENDATIONS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/prices/recommendations", "read", act(Jobs.recommend, recommendations),
          RecommendAsk, RecommendationsShape),
    Route("POST", f"{V1}/route", "spend", act_of_key(Jobs.route_model, routing), RouteAsk,
          RoutingShape),
)  # fmt: skip

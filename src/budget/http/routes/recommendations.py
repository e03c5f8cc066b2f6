"""The route that recommends models."""

from typing import Final

from budget.domain.asks_prices import RecommendAsk
from budget.domain.shapes_recommendations import RecommendationsShape
from budget.domain.wire.recommendations import recommendations
from budget.engine.jobs import Jobs
from budget.http.calls import act
from budget.http.route import V1, Route

RECOMMENDATIONS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/prices/recommendations", "read", act(Jobs.recommend, recommendations),
          RecommendAsk, RecommendationsShape),
)  # fmt: skip

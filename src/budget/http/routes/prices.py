"""Routes of prices: what models cost, where that comes from, and the past priced again."""

from collections.abc import Mapping
from typing import Final

from budget.domain import shapes, shapes_prices, shapes_rating, wire
from budget.domain.asks import CostAsk
from budget.domain.asks_prices import PriceAsk, RerateAsk, WhatIfAsk
from budget.engine.jobs import Jobs
from budget.http import prices
from budget.http.calls import act
from budget.http.queries import Parameter, text
from budget.http.route import PAGED, V1, Route

PRICES: Final[Mapping[str, Parameter]] = {
    **PAGED, "provider": text, "model": text, "search": text, "status": text,
}  # fmt: skip

list_prices = act(Jobs.prices, prices.price_page)

PRICE_ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/prices/calculate", "read", act(Jobs.calculate, wire.calculation),
          CostAsk, shapes.CalculationShape),
    Route("GET", f"{V1}/prices", "read", list_prices, answer=shapes.PageShape, query=PRICES),
    Route("PUT", f"{V1}/prices", "manage", act(Jobs.set_price, wire.price_override),
          PriceAsk, shapes_prices.PriceOverrideShape),
    Route("POST", f"{V1}/prices/overrides/{{override_id}}/end", "manage", prices.end_price,
          prices.EndAsk, shapes_prices.PriceOverrideShape),
    Route("GET", f"{V1}/prices/current", "read", prices.current,
          answer=shapes_prices.PriceShape, query={"provider": text, "model": text, "at": text}),
    Route("POST", f"{V1}/prices/current", "read", prices.current,
          prices.CurrentAsk, shapes_prices.PriceShape),
    Route("GET", f"{V1}/prices/history/{{provider}}/{{model:path}}", "read",
          act(Jobs.price_history, prices.period_page), answer=shapes.PageShape),
    Route("GET", f"{V1}/prices/compare", "read", prices.compare,
          answer=shapes_prices.PriceComparisonShape, query={"provider": text, "model": text}),
    Route("GET", f"{V1}/prices/sources", "read", act(Jobs.price_sources, prices.source_page),
          answer=shapes.PageShape),
    Route("GET", f"{V1}/prices/updates", "read", act(Jobs.price_updates, prices.update_page),
          answer=shapes.PageShape,
          query={**PAGED, "status": text, "source": text, "provider": text, "model": text}),
    Route("POST", f"{V1}/prices/updates/{{update:path}}/accept", "manage", prices.accept,
          prices.DecideAsk, shapes_prices.PriceDecisionShape),
    Route("POST", f"{V1}/prices/updates/{{update:path}}/reject", "manage", prices.reject,
          prices.DecideAsk, shapes_prices.PriceDecisionShape),
    Route("POST", f"{V1}/prices/update", "manage", prices.update,
          prices.UpdateAsk, shapes_prices.PriceReportShape),
    Route("POST", f"{V1}/prices/rerate", "manage", act(Jobs.rerate, wire.rerating),
          RerateAsk, shapes_rating.ReratingShape),
    Route("POST", f"{V1}/prices/whatif", "read", act(Jobs.what_if, wire.what_if),
          WhatIfAsk, shapes_rating.WhatIfShape),
    Route("GET", f"{V1}/prices/coverage", "read", act(Jobs.coverage, wire.coverage),
          answer=shapes_rating.CoverageShape, query={"since": text, "until": text}),
    Route("GET", "/api/providers/prices", "read", list_prices,
          answer=shapes.PageShape, query=PRICES),
)  # fmt: skip

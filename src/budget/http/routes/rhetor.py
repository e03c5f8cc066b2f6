"""Routes of Rhetor."""

from typing import Final

from budget.domain.asks_routing import SelectAsk
from budget.domain.shapes_rhetor import RhetorModelsShape, SelectionShape
from budget.http import rhetor
from budget.http.route import V1, Route

RHETOR: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/neighbours/rhetor/models", "manage", rhetor.models,
          answer=RhetorModelsShape),
    Route("POST", f"{V1}/neighbours/rhetor/select", "spend", rhetor.select, SelectAsk,
          SelectionShape),
)  # fmt: skip

"""The route of many usage records in one request."""

from typing import Final

from budget.domain.asks import BulkAsk
from budget.domain.shapes_bulk import BulkShape
from budget.http import bulk
from budget.http.route import V1, Route

BULK: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/usage/batch", "spend", bulk.record_bulk, BulkAsk, BulkShape),
)

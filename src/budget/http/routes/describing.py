"""Routes of the description of the API, and of the page that shows it."""

from typing import Final

from budget.http import describing
from budget.http.route import V1, Route

DESCRIBING: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/openapi.json", "any", describing.openapi),
    Route("GET", "/docs", "open", describing.page),
    Route("GET", "/docs/openapi.json", "open", describing.openapi_of_page),
    Route("GET", "/docs/{file}", "open", describing.asset),
)

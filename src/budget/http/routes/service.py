"""Routes of the service itself: what it is, how it is, and its figures."""

from typing import Final

from budget.http import health
from budget.http.metrics import metrics
from budget.http.route import Route

SERVICE: Final[tuple[Route, ...]] = (
    Route("GET", "/health", "open", health.health),
    Route("GET", "/ready", "open", health.ready),
    Route("GET", "/metrics", "read", metrics),
    Route("GET", "/", "open", health.root),
)  # fmt: skip

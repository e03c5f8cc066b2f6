"""Routes of the service itself: what it is, and how it is. They need no key."""

from typing import Final

from budget.http import handlers
from budget.http.route import Route

SERVICE: Final[tuple[Route, ...]] = (
    Route("GET", "/health", "open", handlers.health),
    Route("GET", "/ready", "open", handlers.ready),
    Route("GET", "/", "open", handlers.root),
)  # fmt: skip

"""Routes by which other components find the service, and ask whether it has work for them."""

from typing import Final

from budget.http import discovery
from budget.http.discovery import DiscoveryShape, WorkflowAsk, WorkflowShape
from budget.http.route import V1, Route

DISCOVERY: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/discovery", "read", discovery.discovery, answer=DiscoveryShape),
    Route("POST", "/workflow", "read", discovery.workflow, WorkflowAsk, WorkflowShape),
)

"""Routes: the one table of what the service answers to, a file for each group.

Routing, rights, field names and the API's description are all read from here.
"""

from collections.abc import Mapping
from typing import Final

from budget.domain.asks import BulkRecordAsk
from budget.domain.asks_plans import TaskAsk
from budget.domain.policy_terms import POLICY_FIELDS
from budget.domain.quiet import FIELDS as QUIET_FIELDS
from budget.domain.usage import UNITS, Usage
from budget.engine.channels.asks import WANTED
from budget.http.route import Route
from budget.http.routes.alerts import ALERTS
from budget.http.routes.audit import AUDIT
from budget.http.routes.bridge import BRIDGE
from budget.http.routes.budgets import BUDGETS
from budget.http.routes.bulk import BULK
from budget.http.routes.channels import CHANNELS
from budget.http.routes.contexts import CONTEXTS
from budget.http.routes.describing import DESCRIBING
from budget.http.routes.discovery import DISCOVERY
from budget.http.routes.journal import JOURNAL
from budget.http.routes.keys import KEYS
from budget.http.routes.limits import LIMITS
from budget.http.routes.neighbours import NEIGHBOURS
from budget.http.routes.prices import PRICE_ROUTES
from budget.http.routes.projects import PROJECTS
from budget.http.routes.recommendations import RECOMMENDATIONS
from budget.http.routes.requests import REQUESTS
from budget.http.routes.rhetor import RHETOR
from budget.http.routes.service import SERVICE
from budget.http.routes.sessions import SESSIONS
from budget.http.routes.settings import SETTINGS
from budget.http.routes.spending import SPENDING
from budget.http.routes.trials import TRIALS
from budget.http.routes.usage import USAGE
from budget.prices.schedules import CONTEXT_NAMES

NESTED: Final[Mapping[str, frozenset[str]]] = {
    "policies": frozenset(POLICY_FIELDS),
    "tasks": frozenset(TaskAsk.__annotations__),
    "records": frozenset(BulkRecordAsk.__annotations__),
    "replacement": frozenset({*Usage._fields, "cost"}),
    "units": frozenset(UNITS),
    "price_context": frozenset(CONTEXT_NAMES),
    "wanted": WANTED,
    "quiet": frozenset(QUIET_FIELDS),
}
"""Objects within a body whose fields are named by us; in other objects the caller names them."""

# The paths that calls wait for come first: they are tried in this order.
ROUTES: Final[tuple[Route, ...]] = (
    *BULK,
    *SPENDING,
    *CONTEXTS,
    *USAGE,
    *BUDGETS,
    *REQUESTS,
    *LIMITS,
    *PRICE_ROUTES,
    *RECOMMENDATIONS,
    *TRIALS,
    *PROJECTS,
    *JOURNAL,
    *ALERTS,
    *CHANNELS,
    *AUDIT,
    *KEYS,
    *SESSIONS,
    *DESCRIBING,
    *SETTINGS,
    *NEIGHBOURS,
    *RHETOR,
    *BRIDGE,
    *DISCOVERY,
    *SERVICE,
)

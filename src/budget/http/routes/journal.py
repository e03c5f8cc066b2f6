"""Routes of the journal: its entries as events, and the proof of the books."""

from typing import Final

from budget.domain import shapes, wire
from budget.engine.jobs import Jobs
from budget.http import handlers
from budget.http.calls import act
from budget.http.queries import count, text
from budget.http.route import V1, Route

verify = act(Jobs.verify, wire.verification)

JOURNAL: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/events", "read", act(Jobs.events, handlers.event_page),
          answer=shapes.PageShape, query={"after": text, "limit": count, "kind": text}),
    Route("GET", f"{V1}/verify", "audit", verify,
          answer=shapes.VerificationShape, query={"anchor": text}),
    Route("POST", f"{V1}/verify", "audit", verify, answer=shapes.VerificationShape),
)  # fmt: skip

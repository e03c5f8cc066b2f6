"""Routes of the journal: its entries as events, the proof of the books, and the clock."""

from typing import Final

from budget.domain import shapes, wire
from budget.domain.events import TOPICS
from budget.domain.shapes_audit import ClockConfirmedShape
from budget.domain.wire.audit import clock_confirmed
from budget.engine.jobs import Jobs
from budget.http import handlers
from budget.http.calls import act
from budget.http.live.stream import stream
from budget.http.queries import Attributed, count, text, word
from budget.http.route import V1, Route

verify = act(Jobs.verify, wire.verification)

JOURNAL: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/events", "read", handlers.events, answer=shapes.PageShape,
          query=Attributed({
              "after": text, "limit": count, "topic": word(*TOPICS), "kind": text,
              "budget_id": text, "allocation_id": text, "since": text, "until": text,
          })),
    Route("GET", f"{V1}/events/stream", "read", stream,
          query=Attributed({
              "topics": text, "kinds": text, "budget_id": text, "resume_from": text,
          })),
    Route("GET", f"{V1}/verify", "audit", verify,
          answer=shapes.VerificationShape, query={"anchor": text}),
    Route("POST", f"{V1}/verify", "audit", verify, answer=shapes.VerificationShape),
    Route("POST", f"{V1}/clock/confirm", "admin", act(Jobs.confirm_clock, clock_confirmed),
          answer=ClockConfirmedShape),
)  # fmt: skip

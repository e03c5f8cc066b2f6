"""Calls about the journal: events, the audit log, the proof of the books, and the clock."""

from collections.abc import Callable, Mapping

from budget.client.reading import journal as read
from budget.client.reading.parts import page
from budget.client.request import DatabaseOnly, Request, get, once
from budget.domain.answers import Event
from budget.domain.answers_audit import AuditRecord, ClockConfirmed, Verification
from budget.domain.answers_pages import Page
from budget.domain.attributes import parse_attributes


class AuditCalls:
    """The methods."""

    def events(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        topic: str | None = None,
        kind: str | None = None,
        budget_id: str | None = None,
        allocation_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        attributes: Mapping[str, str] | None = None,
        audited: bool = True,
    ) -> Request[Page[Event]]:
        """Whether entries of the audit log are among them is for the rights of the key."""
        del audited
        query = {
            "after": after, "limit": limit, "topic": topic, "kind": kind, "budget_id": budget_id,
            "allocation_id": allocation_id, "since": since, "until": until,
            "attributes": parse_attributes(attributes),
        }  # fmt: skip
        return get("/events", page(read.event), query)

    def audit(
        self, *, actor: str | None = None, kind: str | None = None, budget_id: str | None = None,
        policy_id: str | None = None, since: str | None = None, until: str | None = None,
        limit: int = 100, cursor: str | None = None,
    ) -> Request[Page[AuditRecord]]:  # fmt: skip
        query = {
            "actor": actor, "kind": kind, "budget_id": budget_id, "policy_id": policy_id,
            "since": since, "until": until, "limit": limit, "cursor": cursor,
        }  # fmt: skip
        return get("/audit", page(read.audit_record), query)

    def verify(
        self, *, anchor: str | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Request[Verification]:
        """A service tells no progress."""
        del progress
        return get("/verify", read.verification, {"anchor": anchor}, patient=True)

    def seal(self) -> Request[int]:
        """A service does so by itself."""
        raise DatabaseOnly("seal", "a service seals by itself, within a minute.")

    def confirm_clock(self) -> Request[ClockConfirmed]:
        return once("/clock/confirm", read.clock_confirmed)

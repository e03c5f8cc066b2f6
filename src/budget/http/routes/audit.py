"""The route of the audit log."""

from typing import Final

from budget.domain import cursors, shapes, wire
from budget.domain.answers_audit import AuditRecord
from budget.domain.answers_pages import Page
from budget.domain.wire.audit import audit_record
from budget.engine.jobs import Jobs
from budget.http.calls import act
from budget.http.queries import text
from budget.http.route import PAGED, V1, Route


def audit_page(page: Page[AuditRecord]) -> shapes.PageShape:
    """A page of the audit log."""
    return wire.page(
        page.items, page.next_cursor, lambda one: audit_record(one, cursors.encode(one.cursor))
    )


AUDIT: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/audit", "audit", act(Jobs.audit, audit_page), answer=shapes.PageShape,
          query={**PAGED, "actor": text, "kind": text, "budget_id": text, "policy_id": text,
                 "since": text, "until": text}),
)  # fmt: skip

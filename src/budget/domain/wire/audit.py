"""The audit log, and a clock confirmed, in JSON."""

import json
from typing import Any

from budget.domain.answers_audit import AuditRecord, ClockConfirmed
from budget.domain.shapes_audit import AuditRecordShape, ClockConfirmedShape
from budget.domain.windows import to_rfc3339


def audit_record(answer: AuditRecord, cursor: str) -> AuditRecordShape:
    """One change; `cursor` is its place in the journal as readers write it."""
    detail: dict[str, Any] = json.loads(answer.detail)
    changes = {name: one for name, one in detail.items() if _is_change(one)}
    if isinstance(detail.get("changes"), dict):  # those of prices are a list, which stays
        changes |= detail.pop("changes")
    return {
        "cursor": cursor,
        "at": to_rfc3339(answer.at_us),
        "kind": answer.kind,
        "actor": answer.actor,
        "actor_name": answer.actor_name,
        "usage_id": answer.usage_id,
        "budget_id": answer.budget_id,
        "policy_id": answer.policy_id,
        "changes": changes,
        "detail": {name: one for name, one in detail.items() if name not in changes},
    }


def clock_confirmed(answer: ClockConfirmed) -> ClockConfirmedShape:
    """That the clock was confirmed."""
    return {"at": to_rfc3339(answer.at_us), "was_paused": answer.was_paused}


def _is_change(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"old", "new"}

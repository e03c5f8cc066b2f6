"""Requests for top-ups in JSON."""

from budget.domain.answers_requests import TopUpRequest
from budget.domain.shapes_requests import ChangedTopUpRequestShape, TopUpRequestShape
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount, instant, partition_of


def top_up_request(answer: TopUpRequest) -> TopUpRequestShape:
    """A request and what became of it."""
    unit, granted, until_us = answer.unit, answer.granted, answer.granted_until_us
    return {
        "request_id": answer.request_id,
        "budget_id": answer.budget_id,
        "policy_id": answer.policy_id,
        "partition": None if answer.partition is None else partition_of(answer.partition),
        "unit": unit,
        "amount": amount(answer.amount, unit),
        "until": None if answer.until_us is None else to_rfc3339(answer.until_us),
        "reason": answer.reason,
        "actor": answer.actor,
        "status": answer.status,
        "created_at": to_rfc3339(answer.created_us),
        "expires_at": to_rfc3339(answer.expires_us),
        "decided_at": None if answer.decided_us is None else to_rfc3339(answer.decided_us),
        "decided_by": answer.decided_by,
        "decision": answer.decision,
        "top_up_id": answer.top_up_id,
        "granted_amount": None if granted is None else amount(granted, unit),
        "granted_until": None if until_us is None else instant(until_us),
    }


def changed_top_up_request(answer: TopUpRequest) -> ChangedTopUpRequestShape:
    """A request that was made or decided."""
    return {**top_up_request(answer), "replayed": answer.replayed}

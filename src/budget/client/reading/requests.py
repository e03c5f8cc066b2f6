"""Requests for top-ups read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import amount, amount_or_none, partition, us, us_or_none
from budget.domain.answers_requests import TopUpRequest


def top_up_request(shape: Mapping[str, Any]) -> TopUpRequest:
    """A request and what became of it."""
    of = shape["partition"]
    return TopUpRequest(
        request_id=shape["request_id"],
        budget_id=shape["budget_id"],
        policy_id=shape["policy_id"],
        unit=shape["unit"],
        partition=None if of is None else partition(of),
        amount=amount(shape["amount"]),
        until_us=us_or_none(shape["until"]),
        reason=shape["reason"],
        actor=shape["actor"],
        status=shape["status"],
        created_us=us(shape["created_at"]),
        expires_us=us(shape["expires_at"]),
        decided_us=us_or_none(shape["decided_at"]),
        decided_by=shape["decided_by"],
        decision=shape["decision"],
        top_up_id=shape["top_up_id"],
        granted=amount_or_none(shape["granted_amount"]),
        granted_until_us=us_or_none(shape["granted_until"]),
        replayed=shape.get("replayed", False),
    )

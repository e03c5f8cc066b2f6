"""Shapes of requests for top-ups in JSON."""

from typing import TypedDict

from budget.domain.shapes import Amount


class TopUpRequestShape(TypedDict):
    """A top-up that somebody asks for, and what became of it. `partition` null: all of them."""

    request_id: str
    budget_id: str
    policy_id: str
    partition: dict[str, str | None] | None
    unit: str
    amount: Amount
    until: str | None
    reason: str
    actor: str
    status: str
    created_at: str
    expires_at: str
    decided_at: str | None
    decided_by: str | None
    decision: str | None
    top_up_id: str | None
    granted_amount: Amount | None
    granted_until: str | None


class ChangedTopUpRequestShape(TopUpRequestShape):
    """A request that was made or decided; `replayed`: that had been done before."""

    replayed: bool

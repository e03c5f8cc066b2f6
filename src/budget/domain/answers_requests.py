"""Requests for top-ups as values: what somebody asks for, and what became of it."""

from dataclasses import dataclass
from typing import Final, Literal

from budget.domain.budgets import Unit

Status = Literal["pending", "approved", "rejected", "withdrawn", "expired"]

STATUSES: Final = ("pending", "approved", "rejected", "withdrawn", "expired")


@dataclass(frozen=True, slots=True)
class TopUpRequest:
    """A top-up that somebody asks for; amounts are in the unit of the policy.

    Pending ones that nobody decides expire at `expires_us`: that is not written down, it follows
    from the time. `granted` and `granted_until_us` are those of the top-up that was made.
    """

    request_id: str
    budget_id: str
    policy_id: str
    unit: Unit
    partition: str | None
    amount: int
    until_us: int | None
    reason: str
    actor: str
    status: Status
    created_us: int
    expires_us: int
    decided_us: int | None = None
    decided_by: str | None = None
    decision: str | None = None
    top_up_id: str | None = None
    granted: int | None = None
    granted_until_us: int | None = None
    replayed: bool = False


def status_at(stored: Status, expires_us: int, now_us: int) -> Status:
    """The status at an instant of a request that is stored with this one."""
    return "expired" if stored == "pending" and now_us >= expires_us else stored

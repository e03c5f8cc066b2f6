"""Acts about requests for top-ups.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers_pages import Page
from budget.domain.answers_requests import TopUpRequest
from budget.domain.asks_budgets import ApproveAsk, RejectAsk, RequestAsk, WithdrawAsk


class RequestActs(Protocol):
    """The methods."""

    def make_request(self, budget_id: str, **ask: Unpack[RequestAsk]) -> Act[TopUpRequest]:
        """Ask for a top-up of a budget; who has the right to manage it approves or rejects it.

        Without `policy_id` of its one limit that refuses, else of its only one.
        """

    def approve_request(self, request_id: str, **ask: Unpack[ApproveAsk]) -> Act[TopUpRequest]:
        """Grant what was asked for, or less: this makes the top-up, which ends by itself."""

    def reject_request(self, request_id: str, **ask: Unpack[RejectAsk]) -> Act[TopUpRequest]:
        """Say no to what was asked for, and why."""

    def withdraw_request(self, request_id: str, **ask: Unpack[WithdrawAsk]) -> Act[TopUpRequest]:
        """Take back what one has asked for oneself."""

    def request(self, request_id: str) -> Act[TopUpRequest]:
        """One request for a top-up, and what became of it."""

    def requests(
        self,
        *,
        status: str | None = None,
        budget_id: str | None = None,
        policy_id: str | None = None,
        actor: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Act[Page[TopUpRequest]]:
        """Requests for top-ups, newest first.

        `status` is one of pending, approved, rejected, withdrawn, expired; `actor` who asked.
        """

    def budget_requests(
        self,
        budget_id: str,
        *,
        status: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Act[Page[TopUpRequest]]:
        """The requests for top-ups of one budget, newest first."""

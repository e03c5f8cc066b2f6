"""Request jobs: the methods of the facade about requests for top-ups."""

from typing import Unpack

from budget.domain.answers_pages import Page
from budget.domain.answers_requests import TopUpRequest
from budget.domain.asks_budgets import ApproveAsk, RejectAsk, RequestAsk, WithdrawAsk
from budget.engine.job import Job, Maker
from budget.engine.requests import acts, reports


class RequestJobs(Maker):
    """The methods about requests. Raise InvalidInput at once for bad input."""

    def make_request(self, budget_id: str, **ask: Unpack[RequestAsk]) -> Job[TopUpRequest]:
        """Ask for a top-up of a budget; who has the right to manage it approves or rejects it.

        Without `policy_id` of its one limit that refuses, else of its only one.
        """
        return Job(change=acts.making(budget_id, ask, self.caller))

    def approve_request(self, request_id: str, **ask: Unpack[ApproveAsk]) -> Job[TopUpRequest]:
        """Grant what was asked for, or less: this makes the top-up, which ends by itself."""
        return Job(change=acts.approving(request_id, ask, self.caller))

    def reject_request(self, request_id: str, **ask: Unpack[RejectAsk]) -> Job[TopUpRequest]:
        """Say no to what was asked for, and why."""
        return Job(change=acts.rejecting(request_id, ask, self.caller))

    def withdraw_request(self, request_id: str, **ask: Unpack[WithdrawAsk]) -> Job[TopUpRequest]:
        """Take back what one has asked for oneself."""
        return Job(change=acts.withdrawing(request_id, ask, self.caller))

    def request(self, request_id: str) -> Job[TopUpRequest]:
        """One request for a top-up, and what became of it."""
        return Job(read=lambda: reports.request(self.books, request_id, self.caller.bound))

    def requests(
        self,
        *,
        status: str | None = None,
        budget_id: str | None = None,
        policy_id: str | None = None,
        actor: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Job[Page[TopUpRequest]]:
        """Requests for top-ups, newest first.

        `status` is one of pending, approved, rejected, withdrawn, expired; `actor` who asked.
        """
        equal = {"budget_id": budget_id, "policy_id": policy_id, "actor": actor}
        return Job(
            read=lambda: reports.requests(
                self.books, equal, status, limit, cursor, self.caller.bound
            )
        )

    def budget_requests(
        self,
        budget_id: str,
        *,
        status: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Job[Page[TopUpRequest]]:
        """The requests for top-ups of one budget, newest first."""
        return Job(
            read=lambda: reports.requests_of(
                self.books, budget_id, status, limit, cursor, self.caller.bound
            )
        )

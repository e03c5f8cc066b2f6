"""Calls about requests for top-ups."""

from typing import Unpack

from budget.client.reading.parts import page
from budget.client.reading.requests import top_up_request
from budget.client.request import Request, act, at, get
from budget.domain.answers_pages import Page
from budget.domain.answers_requests import TopUpRequest
from budget.domain.asks_budgets import ApproveAsk, RejectAsk, RequestAsk, WithdrawAsk


class RequestCalls:
    """The methods."""

    def make_request(self, budget_id: str, **ask: Unpack[RequestAsk]) -> Request[TopUpRequest]:
        return act(at("/budgets/{}/requests", budget_id), top_up_request, ask)

    def approve_request(self, request_id: str, **ask: Unpack[ApproveAsk]) -> Request[TopUpRequest]:
        return act(at("/requests/{}/approve", request_id), top_up_request, ask)

    def reject_request(self, request_id: str, **ask: Unpack[RejectAsk]) -> Request[TopUpRequest]:
        return act(at("/requests/{}/reject", request_id), top_up_request, ask)

    def withdraw_request(
        self, request_id: str, **ask: Unpack[WithdrawAsk]
    ) -> Request[TopUpRequest]:
        return act(at("/requests/{}/withdraw", request_id), top_up_request, ask)

    def request(self, request_id: str) -> Request[TopUpRequest]:
        return get(at("/requests/{}", request_id), top_up_request)

    def requests(
        self,
        *,
        status: str | None = None,
        budget_id: str | None = None,
        policy_id: str | None = None,
        actor: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Request[Page[TopUpRequest]]:
        query = {
            "status": status, "budget_id": budget_id, "policy_id": policy_id, "actor": actor,
            "limit": limit, "cursor": cursor,
        }  # fmt: skip
        return get("/requests", page(top_up_request), query)

    def budget_requests(
        self,
        budget_id: str,
        *,
        status: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Request[Page[TopUpRequest]]:
        query = {"status": status, "limit": limit, "cursor": cursor}
        return get(at("/budgets/{}/requests", budget_id), page(top_up_request), query)

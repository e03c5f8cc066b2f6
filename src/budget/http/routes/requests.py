"""Routes of requests for top-ups: asked for by those who spend, decided by those who manage."""

from typing import Final

from budget.domain import shapes
from budget.domain.asks_budgets import ApproveAsk, RejectAsk, RequestAsk, WithdrawAsk
from budget.domain.shapes_requests import ChangedTopUpRequestShape, TopUpRequestShape
from budget.domain.wire.requests import changed_top_up_request, top_up_request
from budget.engine.jobs import Jobs
from budget.http import handlers
from budget.http.calls import act
from budget.http.queries import text
from budget.http.route import PAGED, V1, Route

request_page = handlers.page_of(top_up_request)

REQUESTS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/budgets/{{budget_id}}/requests", "spend",
          act(Jobs.make_request, changed_top_up_request),
          RequestAsk, ChangedTopUpRequestShape, 201),
    Route("GET", f"{V1}/budgets/{{budget_id}}/requests", "read",
          act(Jobs.budget_requests, request_page),
          answer=shapes.PageShape, query={**PAGED, "status": text}),
    Route("GET", f"{V1}/requests", "read", act(Jobs.requests, request_page),
          answer=shapes.PageShape,
          query={**PAGED, "status": text, "budget_id": text, "policy_id": text, "actor": text}),
    Route("GET", f"{V1}/requests/{{request_id}}", "read", act(Jobs.request, top_up_request),
          answer=TopUpRequestShape),
    Route("POST", f"{V1}/requests/{{request_id}}/approve", "manage",
          act(Jobs.approve_request, changed_top_up_request), ApproveAsk, ChangedTopUpRequestShape),
    Route("POST", f"{V1}/requests/{{request_id}}/reject", "manage",
          act(Jobs.reject_request, changed_top_up_request), RejectAsk, ChangedTopUpRequestShape),
    Route("POST", f"{V1}/requests/{{request_id}}/withdraw", "spend",
          act(Jobs.withdraw_request, changed_top_up_request),
          WithdrawAsk, ChangedTopUpRequestShape),
)  # fmt: skip

"""Routes of budgets and policies, and of how they stand."""

from collections.abc import Mapping
from typing import Final, TypedDict

from budget.domain import shapes, wire
from budget.domain.asks_budgets import BudgetAsk, PolicyAsk
from budget.domain.budgets import UNITS
from budget.domain.shapes_usage import StatusShape
from budget.domain.wire.usage import standing
from budget.engine.jobs import Jobs
from budget.engine.reports.allocations import STATUSES
from budget.http import handlers
from budget.http.calls import act
from budget.http.queries import SPAN, Attributed, Filtered, flag, sorts, text, word
from budget.http.route import PAGED, V1, Route


class TopUpAsk(TypedDict, total=False):
    """How much more, until when, where and why."""

    amount: str | int
    until: str
    partition: Mapping[str, str | None]
    reason: str
    idempotency_key: str


class NewPolicyAsk(PolicyAsk, total=False):
    """A policy, and the budget it joins."""

    budget_id: str


budget_page = handlers.page_of(wire.budget)
policy_page = handlers.page_of(wire.policy)
change_budget = act(Jobs.change_budget, wire.changed_budget)
change_policy = act(Jobs.change_policy, wire.changed_policy)

POLICIES: Final = {
    **PAGED, "unit": word(*UNITS), "period": text, "enforcement": text, "archived": flag,
    "enabled": flag, "sort": sorts("policy_id", "created_at"),
}  # fmt: skip

BUDGETS: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/status", "read", handlers.status,
          answer=StatusShape, query=Attributed()),
    Route("POST", f"{V1}/budgets", "manage", act(Jobs.create_budget, wire.changed_budget),
          BudgetAsk, shapes.ChangedBudgetShape, 201),
    Route("GET", f"{V1}/budgets", "read", act(Jobs.budgets, budget_page),
          answer=shapes.PageShape,
          query={**PAGED, "owner": text, "name": text, "archived": flag, "is_active": flag,
                 "sort": sorts("budget_id", "name", "owner", "created_at", "updated_at")}),
    Route("GET", f"{V1}/budgets/{{budget_id}}", "read", act(Jobs.budget, wire.budget),
          answer=shapes.BudgetShape),
    Route("GET", f"{V1}/budgets/{{budget_id}}/policies", "read",
          act(Jobs.budget_policies, policy_page), answer=shapes.PageShape, query=POLICIES),
    Route("GET", f"{V1}/budgets/{{budget_id}}/allocations", "read",
          act(Jobs.budget_allocations, handlers.page_of(wire.allocation)),
          answer=shapes.PageShape,
          query=Filtered({
              **PAGED, **SPAN, "status": word(*STATUSES), "is_active": flag,
              "sort": sorts("placed_at", "expires_at"),
          })),
    Route("GET", f"{V1}/budgets/{{budget_id}}/summary", "read",
          act(Jobs.budget_summary, handlers.page_of(standing)),
          answer=shapes.PageShape, query={**PAGED, "period": text}),
    Route("PATCH", f"{V1}/budgets/{{budget_id}}", "manage", change_budget,
          BudgetAsk, shapes.ChangedBudgetShape),
    Route("PUT", f"{V1}/budgets/{{budget_id}}", "manage", change_budget,
          BudgetAsk, shapes.ChangedBudgetShape),
    Route("DELETE", f"{V1}/budgets/{{budget_id}}", "manage",
          act(Jobs.archive_budget, wire.changed_budget), answer=shapes.ChangedBudgetShape),
    Route("POST", f"{V1}/policies", "manage", handlers.create_policy,
          NewPolicyAsk, shapes.ChangedPolicyShape, 201),
    Route("GET", f"{V1}/policies", "read", act(Jobs.policies, policy_page),
          answer=shapes.PageShape, query={**POLICIES, "budget_id": text}),
    Route("GET", f"{V1}/policies/{{policy_id}}", "read", act(Jobs.policy, wire.policy),
          answer=shapes.PolicyShape),
    Route("PATCH", f"{V1}/policies/{{policy_id}}", "manage", change_policy,
          PolicyAsk, shapes.ChangedPolicyShape),
    Route("PUT", f"{V1}/policies/{{policy_id}}", "manage", change_policy,
          PolicyAsk, shapes.ChangedPolicyShape),
    Route("DELETE", f"{V1}/policies/{{policy_id}}", "manage",
          act(Jobs.archive_policy, wire.changed_policy), answer=shapes.ChangedPolicyShape),
    Route("POST", f"{V1}/policies/{{policy_id}}/top-ups", "manage", handlers.top_up,
          TopUpAsk, shapes.MadeTopUpShape, 201),
    Route("GET", f"{V1}/policies/{{policy_id}}/top-ups", "read",
          act(Jobs.top_ups, handlers.top_up_page),
          answer=shapes.PageShape, query={**PAGED, "sort": sorts("at")}),
    Route("GET", f"{V1}/policies/{{policy_id}}/balances", "read",
          act(Jobs.balances, handlers.page_of(wire.balance)),
          answer=shapes.PageShape, query={**PAGED, "sort": sorts("partition", "spent")}),
    Route("GET", "/api/status", "read", handlers.status,
          answer=StatusShape, query=Attributed()),
)  # fmt: skip

"""Routes of budgets and policies, and of how they stand."""

from collections.abc import Mapping
from typing import Final, TypedDict

from budget.domain import shapes, wire
from budget.engine.budgets import BudgetAsk
from budget.engine.jobs import Jobs
from budget.engine.policies import PolicyAsk
from budget.http import handlers
from budget.http.calls import act
from budget.http.queries import flag, text
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
change_budget = act(Jobs.change_budget, wire.changed_budget)
change_policy = act(Jobs.change_policy, wire.changed_policy)

BUDGETS: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/status", "read", handlers.status, query=None),
    Route("POST", f"{V1}/budgets", "manage", act(Jobs.create_budget, wire.changed_budget),
          BudgetAsk, shapes.ChangedBudgetShape, 201),
    Route("GET", f"{V1}/budgets", "read", act(Jobs.budgets, budget_page),
          answer=shapes.PageShape, query={**PAGED, "owner": text, "archived": flag}),
    Route("GET", f"{V1}/budgets/{{budget_id}}", "read", act(Jobs.budget, wire.budget),
          answer=shapes.BudgetShape),
    Route("PATCH", f"{V1}/budgets/{{budget_id}}", "manage", change_budget,
          BudgetAsk, shapes.ChangedBudgetShape),
    Route("PUT", f"{V1}/budgets/{{budget_id}}", "manage", change_budget,
          BudgetAsk, shapes.ChangedBudgetShape),
    Route("DELETE", f"{V1}/budgets/{{budget_id}}", "manage",
          act(Jobs.archive_budget, wire.changed_budget), answer=shapes.ChangedBudgetShape),
    Route("POST", f"{V1}/policies", "manage", handlers.create_policy,
          NewPolicyAsk, shapes.ChangedPolicyShape, 201),
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
    Route("GET", "/api/status", "read", handlers.status, query=None),
)  # fmt: skip

"""Routes: the one table of what the service answers to.

Each line says method, path, the right a key needs, who handles it, what goes in and what comes out.
Routing, rights, field names and (later) the API's description are all read from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict

from budget.domain import shapes, shapes_estimates, shapes_prices, shapes_rating, wire
from budget.domain.budgets import POLICY_FIELDS
from budget.domain.usage import UNITS, Usage
from budget.engine.asks import (
    AllocationAsk,
    CostAsk,
    EstimateAsk,
    ExtendAsk,
    PriceAsk,
    ReportAsk,
    RerateAsk,
    UsageAsk,
    WhatIfAsk,
)
from budget.engine.budgets import BudgetAsk
from budget.engine.jobs import Jobs
from budget.engine.policies import PolicyAsk
from budget.http import handlers, prices
from budget.http.calls import Handler, act, act_of_key
from budget.http.queries import Parameter, count, flag, text
from budget.prices.schedules import CONTEXT_NAMES

Scope = Literal["open", "read", "spend", "admin"]
"""The right a route needs: `open` none, not even a key; `admin` is for who manages budgets."""

SCOPES: Final = ("open", "read", "spend", "admin")


class RecordAsk(UsageAsk, total=False):
    """Usage on an allocation; `final` unless it says otherwise."""

    final: bool


class ReleaseAsk(TypedDict, total=False):
    """Why a hold is returned."""

    reason: str
    idempotency_key: str


class CorrectAsk(TypedDict, total=False):
    """Why a record was wrong, and the counts (of an unpriced model: the cost) that were right."""

    reason: str
    replacement: Mapping[str, int | str | Mapping[str, int]]
    idempotency_key: str


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


class Nothing(TypedDict):
    """No body."""


NESTED: Final[Mapping[str, frozenset[str]]] = {
    "policies": frozenset(POLICY_FIELDS),
    "replacement": frozenset({*Usage._fields, "cost"}),
    "units": frozenset(UNITS),
    "price_context": frozenset(CONTEXT_NAMES),
}
"""Objects within a body whose fields are named by us; in other objects the caller names them."""

PAGED: Final[Mapping[str, Parameter]] = {"limit": count, "cursor": text}
PRICES: Final[Mapping[str, Parameter]] = {
    **PAGED, "provider": text, "model": text, "search": text, "status": text,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table. `query` of None: any attributes. `fields`: those a body may have."""

    method: str
    path: str
    scope: Scope
    handle: Handler
    ask: type = Nothing
    answer: Any = None
    status: int = 200
    query: Mapping[str, Parameter] | None = field(default_factory=dict)
    fields: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", frozenset(self.ask.__annotations__))

    @property
    def doc(self) -> str:
        """What it does, in the words of the act."""
        return self.handle.__doc__ or ""


V1: Final = "/api/v1"

allocate = act_of_key(Jobs.allocate, wire.allocation)
report = act_of_key(Jobs.record_usage, wire.receipt)
budget_page = handlers.page_of(wire.budget)
allocation_page = handlers.page_of(wire.allocation)
usage_page = handlers.page_of(wire.usage_record)
change_budget = act(Jobs.change_budget, wire.changed_budget)
verify = act(Jobs.verify, wire.verification)
change_policy = act(Jobs.change_policy, wire.changed_policy)
list_prices = act(Jobs.prices, prices.price_page)

# The paths that calls wait for come first: they are tried in this order.
ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/allocations", "spend", allocate,
          AllocationAsk, shapes.AllocationShape, 201),
    Route("GET", f"{V1}/allocations", "read", act(Jobs.allocations, allocation_page),
          answer=shapes.PageShape,
          query={**PAGED, "status": text, "parent_id": text, "session": text}),
    Route("POST", f"{V1}/allocations/{{allocation_id}}/usage", "spend",
          act(Jobs.settle, wire.receipt), RecordAsk, shapes.ReceiptShape, 201),
    Route("POST", f"{V1}/allocations/{{allocation_id}}/release", "spend",
          act(Jobs.release, wire.allocation), ReleaseAsk, shapes.AllocationShape),
    Route("POST", f"{V1}/allocations/{{allocation_id}}/extend", "spend",
          act(Jobs.extend, wire.allocation), ExtendAsk, shapes.AllocationShape),
    Route("GET", f"{V1}/allocations/{{allocation_id}}", "read",
          act(Jobs.allocation, wire.allocation_in_full), answer=shapes.AllocationInFullShape),
    Route("POST", f"{V1}/check", "spend", handlers.check, AllocationAsk, shapes.CheckShape),
    Route("POST", f"{V1}/usage", "spend", report, ReportAsk, shapes.ReceiptShape, 201),
    Route("GET", f"{V1}/usage", "read", act(Jobs.usage_records, usage_page),
          answer=shapes.PageShape,
          query={**PAGED, "allocation_id": text, "session": text, "task": text,
                 "since": text, "until": text}),
    Route("POST", f"{V1}/usage/record", "spend", report, ReportAsk, shapes.ReceiptShape, 201),
    Route("GET", f"{V1}/usage/{{usage_id}}", "read", act(Jobs.usage_record, wire.usage_record),
          answer=shapes.UsageRecordShape),
    Route("POST", f"{V1}/usage/{{usage_id}}/correct", "admin",
          handlers.correct, CorrectAsk, shapes.CorrectionShape, 201),
    Route("GET", f"{V1}/status", "read", handlers.status, query=None),
    Route("POST", f"{V1}/budgets", "admin", act(Jobs.create_budget, wire.changed_budget),
          BudgetAsk, shapes.ChangedBudgetShape, 201),
    Route("GET", f"{V1}/budgets", "read", act(Jobs.budgets, budget_page),
          answer=shapes.PageShape, query={**PAGED, "owner": text, "archived": flag}),
    Route("GET", f"{V1}/budgets/{{budget_id}}", "read", act(Jobs.budget, wire.budget),
          answer=shapes.BudgetShape),
    Route("PATCH", f"{V1}/budgets/{{budget_id}}", "admin", change_budget,
          BudgetAsk, shapes.ChangedBudgetShape),
    Route("PUT", f"{V1}/budgets/{{budget_id}}", "admin", change_budget,
          BudgetAsk, shapes.ChangedBudgetShape),
    Route("DELETE", f"{V1}/budgets/{{budget_id}}", "admin",
          act(Jobs.archive_budget, wire.changed_budget), answer=shapes.ChangedBudgetShape),
    Route("POST", f"{V1}/policies", "admin", handlers.create_policy,
          NewPolicyAsk, shapes.ChangedPolicyShape, 201),
    Route("GET", f"{V1}/policies/{{policy_id}}", "read", act(Jobs.policy, wire.policy),
          answer=shapes.PolicyShape),
    Route("PATCH", f"{V1}/policies/{{policy_id}}", "admin", change_policy,
          PolicyAsk, shapes.ChangedPolicyShape),
    Route("PUT", f"{V1}/policies/{{policy_id}}", "admin", change_policy,
          PolicyAsk, shapes.ChangedPolicyShape),
    Route("DELETE", f"{V1}/policies/{{policy_id}}", "admin",
          act(Jobs.archive_policy, wire.changed_policy), answer=shapes.ChangedPolicyShape),
    Route("POST", f"{V1}/policies/{{policy_id}}/top-ups", "admin", handlers.top_up,
          TopUpAsk, shapes.MadeTopUpShape, 201),
    Route("POST", f"{V1}/estimate", "spend", act(Jobs.estimate, wire.estimate),
          EstimateAsk, shapes_estimates.EstimateShape),
    Route("GET", f"{V1}/estimate/factors", "read", act(Jobs.factors, wire.factors),
          answer=shapes_estimates.FactorsShape),
    Route("POST", f"{V1}/prices/calculate", "read", act(Jobs.calculate, wire.calculation),
          CostAsk, shapes.CalculationShape),
    Route("GET", f"{V1}/prices", "read", list_prices, answer=shapes.PageShape, query=PRICES),
    Route("PUT", f"{V1}/prices", "admin", act(Jobs.set_price, wire.price_override),
          PriceAsk, shapes_prices.PriceOverrideShape),
    Route("POST", f"{V1}/prices/overrides/{{override_id}}/end", "admin", prices.end_price,
          prices.EndAsk, shapes_prices.PriceOverrideShape),
    Route("GET", f"{V1}/prices/current", "read", prices.current,
          answer=shapes_prices.PriceShape, query={"provider": text, "model": text, "at": text}),
    Route("POST", f"{V1}/prices/current", "read", prices.current,
          prices.CurrentAsk, shapes_prices.PriceShape),
    Route("GET", f"{V1}/prices/history/{{provider}}/{{model:path}}", "read",
          act(Jobs.price_history, prices.period_page), answer=shapes.PageShape),
    Route("GET", f"{V1}/prices/compare", "read", prices.compare,
          answer=shapes_prices.PriceComparisonShape, query={"provider": text, "model": text}),
    Route("GET", f"{V1}/prices/sources", "read", act(Jobs.price_sources, prices.source_page),
          answer=shapes.PageShape),
    Route("GET", f"{V1}/prices/updates", "read", act(Jobs.price_updates, prices.update_page),
          answer=shapes.PageShape,
          query={**PAGED, "status": text, "source": text, "provider": text, "model": text}),
    Route("POST", f"{V1}/prices/updates/{{update:path}}/accept", "admin", prices.accept,
          prices.DecideAsk, shapes_prices.PriceDecisionShape),
    Route("POST", f"{V1}/prices/updates/{{update:path}}/reject", "admin", prices.reject,
          prices.DecideAsk, shapes_prices.PriceDecisionShape),
    Route("POST", f"{V1}/prices/update", "admin", prices.update,
          prices.UpdateAsk, shapes_prices.PriceReportShape),
    Route("POST", f"{V1}/prices/rerate", "admin", act(Jobs.rerate, wire.rerating),
          RerateAsk, shapes_rating.ReratingShape),
    Route("POST", f"{V1}/prices/whatif", "read", act(Jobs.what_if, wire.what_if),
          WhatIfAsk, shapes_rating.WhatIfShape),
    Route("GET", f"{V1}/prices/coverage", "read", act(Jobs.coverage, wire.coverage),
          answer=shapes_rating.CoverageShape, query={"since": text, "until": text}),
    Route("GET", f"{V1}/events", "read", act(Jobs.events, handlers.event_page),
          answer=shapes.PageShape, query={"after": text, "limit": count, "kind": text}),
    Route("GET", f"{V1}/verify", "read", verify,
          answer=shapes.VerificationShape),
    Route("POST", f"{V1}/verify", "read", verify, answer=shapes.VerificationShape),
    Route("POST", "/api/check", "spend", handlers.check, AllocationAsk, shapes.CheckShape),
    Route("POST", "/api/record", "spend", report, ReportAsk, shapes.ReceiptShape, 201),
    Route("GET", "/api/status", "read", handlers.status, query=None),
    Route("GET", "/api/providers/prices", "read", list_prices,
          answer=shapes.PageShape, query=PRICES),
    Route("GET", "/health", "open", handlers.health),
    Route("GET", "/ready", "open", handlers.ready),
    Route("GET", "/", "open", handlers.root),
)  # fmt: skip


def check_routes(routes: tuple[Route, ...] = ROUTES) -> None:
    """Fail the start if a route has no right, no words, or a path that is there already."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        name = f"{route.method} {route.path}"
        if route.scope not in SCOPES:
            raise ValueError(f"{name} says not who may call it")
        if route.scope == "open" and route.path.startswith("/api/"):
            raise ValueError(f"{name} would be open to everybody")
        if not route.doc:
            raise ValueError(f"{name} says not what it does")
        if (route.method, route.path) in seen:
            raise ValueError(f"{name} is there twice")
        seen.add((route.method, route.path))

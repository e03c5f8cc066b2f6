"""Calls about budgets and policies: made, changed, read, and how they stand."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Unpack

from budget.client.reading import balances, usage
from budget.client.reading import budgets as read
from budget.client.reading.parts import page
from budget.client.request import Request, act, at, get, once
from budget.domain.answers import BalanceView
from budget.domain.answers_limits import LimitSet
from budget.domain.answers_pages import Page
from budget.domain.answers_usage import Standing
from budget.domain.asks_budgets import BudgetAsk, LimitAsk, PolicyAsk
from budget.domain.asks_reading import (
    BudgetPoliciesAsk,
    BudgetsAsk,
    PageAsk,
    PoliciesAsk,
    StandingsAsk,
)
from budget.domain.attributes import parse_attributes
from budget.domain.budgets import Budget, Policy, TopUp


class BudgetCalls:
    """The methods."""

    def create_budget(self, **ask: Unpack[BudgetAsk]) -> Request[Budget]:
        return act("/budgets", read.budget, ask)

    def change_budget(self, budget_id: str, **ask: Unpack[BudgetAsk]) -> Request[Budget]:
        return act(at("/budgets/{}", budget_id), read.budget, ask, method="PATCH")

    def archive_budget(self, budget_id: str) -> Request[Budget]:
        return once(at("/budgets/{}", budget_id), read.budget, method="DELETE")

    def create_policy(self, budget_id: str, **ask: Unpack[PolicyAsk]) -> Request[Policy]:
        return act("/policies", read.policy, {**ask, "budget_id": budget_id})

    def change_policy(self, policy_id: str, **ask: Unpack[PolicyAsk]) -> Request[Policy]:
        return act(at("/policies/{}", policy_id), read.policy, ask, method="PATCH")

    def archive_policy(self, policy_id: str) -> Request[Policy]:
        return once(at("/policies/{}", policy_id), read.policy, method="DELETE")

    def top_up(
        self,
        policy_id: str,
        *,
        amount: str | int | Decimal,
        reason: str,
        until: str | None = None,
        partition: Mapping[str, str | None] | None = None,
        idempotency_key: str | None = None,
    ) -> Request[TopUp]:
        asked = {
            "amount": amount, "reason": reason, "until": until, "partition": partition,
            "idempotency_key": idempotency_key,
        }  # fmt: skip
        return act(at("/policies/{}/top-ups", policy_id), read.top_up, asked)

    def set_limit(self, **ask: Unpack[LimitAsk]) -> Request[LimitSet]:
        return act("/limits", read.limit_set, ask)

    def budget(self, budget_id: str) -> Request[Budget]:
        return get(at("/budgets/{}", budget_id), read.budget)

    def budgets(self, **ask: Unpack[BudgetsAsk]) -> Request[Page[Budget]]:
        return get("/budgets", page(read.budget), ask)

    def policy(self, policy_id: str) -> Request[Policy]:
        return get(at("/policies/{}", policy_id), read.policy)

    def policies(self, **ask: Unpack[PoliciesAsk]) -> Request[Page[Policy]]:
        return get("/policies", page(read.policy), ask)

    def budget_policies(
        self, budget_id: str, **ask: Unpack[BudgetPoliciesAsk]
    ) -> Request[Page[Policy]]:
        return get(at("/budgets/{}/policies", budget_id), page(read.policy), ask)

    def top_ups(self, policy_id: str, **ask: Unpack[PageAsk]) -> Request[tuple[Page[TopUp], str]]:
        return get(at("/policies/{}/top-ups", policy_id), read.top_ups, ask)

    def balances(self, policy_id: str, **ask: Unpack[PageAsk]) -> Request[Page[BalanceView]]:
        return get(at("/policies/{}/balances", policy_id), page(balances.balance), ask)

    def budget_summary(
        self, budget_id: str, **ask: Unpack[StandingsAsk]
    ) -> Request[Page[Standing]]:
        return get(at("/budgets/{}/summary", budget_id), page(usage.standing), ask)

    def standings(self, **ask: Unpack[StandingsAsk]) -> Request[Page[Standing]]:
        return Request("GET", "/api/reports/summary", page(usage.standing), query=ask, safe=True)

    def status(self, /, **attributes: str) -> Request[list[BalanceView]]:
        return get("/status", balances.status, {"attributes": parse_attributes(attributes)})

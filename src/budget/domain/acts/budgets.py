"""Acts about budgets and policies: made, changed, read, and how they stand.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol, Unpack

from budget.domain.acts.act import Act
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
from budget.domain.budgets import Budget, Policy, TopUp


class BudgetActs(Protocol):
    """The methods."""

    def create_budget(self, **ask: Unpack[BudgetAsk]) -> Act[Budget]:
        """Create a budget with its policies. Names may repeat: the id tells budgets apart."""

    def change_budget(self, budget_id: str, **ask: Unpack[BudgetAsk]) -> Act[Budget]:
        """Change the fields given. Another scope or `per` gives its policies successors."""

    def archive_budget(self, budget_id: str) -> Act[Budget]:
        """Take a budget out of force; its books stay."""

    def create_policy(self, budget_id: str, **ask: Unpack[PolicyAsk]) -> Act[Policy]:
        """Add a policy to a budget."""

    def change_policy(self, policy_id: str, **ask: Unpack[PolicyAsk]) -> Act[Policy]:
        """Change the fields given. Another unit, period, zone or reset day makes a successor."""

    def archive_policy(self, policy_id: str) -> Act[Policy]:
        """Take a policy out of force; its books stay."""

    def top_up(
        self,
        policy_id: str,
        *,
        amount: str | int | Decimal,
        reason: str,
        until: str | None = None,
        partition: Mapping[str, str | None] | None = None,
        idempotency_key: str | None = None,
    ) -> Act[TopUp]:
        """Raise a policy's limit for the current window, or for every window that starts before
        `until`.
        """

    def set_limit(self, **ask: Unpack[LimitAsk]) -> Act[LimitSet]:
        """Set how much may be spent in a period: the budget and the policy are found, or made.

        The same words set the same limit again, and change nothing.
        """

    def budget(self, budget_id: str) -> Act[Budget]:
        """One budget with its policies, archived ones included."""

    def budgets(self, **ask: Unpack[BudgetsAsk]) -> Act[Page[Budget]]:
        """Budgets by id; archived ones only when asked for."""

    def policy(self, policy_id: str) -> Act[Policy]:
        """One policy."""

    def policies(self, **ask: Unpack[PoliciesAsk]) -> Act[Page[Policy]]:
        """Policies by id; archived ones only when asked for."""

    def budget_policies(
        self, budget_id: str, **ask: Unpack[BudgetPoliciesAsk]
    ) -> Act[Page[Policy]]:
        """The policies of one budget; archived ones only when asked for."""

    def top_ups(self, policy_id: str, **ask: Unpack[PageAsk]) -> Act[tuple[Page[TopUp], str]]:
        """The top-ups of a policy, newest first, and its unit."""

    def balances(self, policy_id: str, **ask: Unpack[PageAsk]) -> Act[Page[BalanceView]]:
        """The balances of a policy that calls have met, as they stand now, by partition."""

    def budget_summary(self, budget_id: str, **ask: Unpack[StandingsAsk]) -> Act[Page[Standing]]:
        """How the policies of a budget stand, each as a whole."""

    def standings(self, **ask: Unpack[StandingsAsk]) -> Act[Page[Standing]]:
        """How every policy in force stands, each as a whole."""

    def status(self, /, **attributes: str) -> Act[list[BalanceView]]:
        """Every balance of the current windows that calls with these attributes meet."""

"""Report jobs: the methods of the facade that read budgets, allocations and usage."""

from typing import Any, Unpack

from budget.domain.answers import Allocation, BalanceView, UsageRecord
from budget.domain.answers_pages import Page
from budget.domain.asks_reading import (
    AllocationsAsk,
    BudgetPoliciesAsk,
    BudgetsAsk,
    PageAsk,
    PoliciesAsk,
    UsageRecordsAsk,
)
from budget.domain.budgets import Budget, Policy, TopUp
from budget.engine import reports
from budget.engine.job import Job, Maker


class ReportJobs(Maker):
    """The methods. Whoever is bound to attributes is told of what it may see, of nothing else."""

    def budget(self, budget_id: str) -> Job[Budget]:
        """One budget with its policies, archived ones included."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.budget(database, budget_id, bound))

    def budgets(self, **ask: Unpack[BudgetsAsk]) -> Job[Page[Budget]]:
        """Budgets by id; archived ones only when asked for."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.budgets(database, bound, **ask))

    def policy(self, policy_id: str) -> Job[Policy]:
        """One policy."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.policy(database, policy_id, bound))

    def policies(self, **ask: Unpack[PoliciesAsk]) -> Job[Page[Policy]]:
        """Policies by id; archived ones only when asked for."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.policies(database, bound, **ask))

    def budget_policies(
        self, budget_id: str, **ask: Unpack[BudgetPoliciesAsk]
    ) -> Job[Page[Policy]]:
        """The policies of one budget; archived ones only when asked for."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.budget_policies(database, budget_id, bound, **ask))

    def top_ups(self, policy_id: str, **ask: Unpack[PageAsk]) -> Job[tuple[Page[TopUp], str]]:
        """The top-ups of a policy, newest first, and its unit."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.policy_top_ups(database, policy_id, bound, **ask))

    def balances(self, policy_id: str, **ask: Unpack[PageAsk]) -> Job[Page[BalanceView]]:
        """The balances of a policy that calls have met, as they stand now, by partition."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.policy_balances(database, policy_id, bound, **ask))

    def allocation(self, allocation_id: str) -> Job[Allocation]:
        """One allocation with its usage records and, for an envelope, its children."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.allocation(database, allocation_id, bound))

    def allocation_of_context(self, context_id: str) -> Job[Allocation]:
        """The newest open allocation of a session, with its usage records and children."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.allocation_of_context(database, context_id, bound))

    def allocations(self, **ask: Unpack[AllocationsAsk]) -> Job[Page[Allocation]]:
        """Allocations, newest first."""
        asked: dict[str, Any] = _with_attributes(dict(ask), "session")
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.allocations(database, bound, **asked))

    def budget_allocations(
        self, budget_id: str, **ask: Unpack[AllocationsAsk]
    ) -> Job[Page[Allocation]]:
        """The allocations that hold on a balance of a budget, newest first."""
        asked: dict[str, Any] = _with_attributes(dict(ask), "session")
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.budget_allocations(database, budget_id, bound, **asked))

    def usage_record(self, usage_id: str) -> Job[UsageRecord]:
        """One usage record."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.usage_record(database, usage_id, bound))

    def usage_records(self, **ask: Unpack[UsageRecordsAsk]) -> Job[Page[UsageRecord]]:
        """Usage records by the time they occurred, newest first."""
        asked: dict[str, Any] = _with_attributes(dict(ask), "session", "task")
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: reports.usage_records(database, bound, **asked))

    def status(self, /, **attributes: str) -> Job[list[BalanceView]]:
        """Every balance of the current windows that calls with these attributes meet."""
        books, bound = self.books, self.caller.bound
        return Job(read=lambda: reports.status(books.database, attributes, books.prices, bound))


def _with_attributes(ask: dict[str, Any], *names: str) -> dict[str, Any]:
    """The ask with these names among its attributes."""
    named = {name: ask.pop(name, None) for name in names}
    given = ask.get("attributes")
    if any(value is not None for value in named.values()):
        told = {name: value for name, value in named.items() if value is not None}
        ask["attributes"] = {**(given or {}), **told}
    return ask

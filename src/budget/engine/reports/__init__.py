"""Reports: what the books say, read without the writer: a file for each kind of thing.

Each function sees one consistent snapshot and pages by keys, and shows a caller that is bound to
attributes what it may see and nothing else: what it may not see is missing. Balances are brought to
now for view only, as a batch would bring them. Not here: events (`engine.events`), alerts
(`engine.alerts`), and whether the books are right (`verify`).
"""

from budget.domain.answers_pages import Page
from budget.engine.reports.allocations import (
    allocation,
    allocation_of_context,
    allocations,
    budget_allocations,
    due,
)
from budget.engine.reports.budgets import budget, budgets
from budget.engine.reports.policies import (
    budget_policies,
    policies,
    policy,
    policy_balances,
    policy_top_ups,
    top_ups,
)
from budget.engine.reports.usage import usage_record, usage_records
from budget.engine.standing_sources import status

__all__ = [
    "Page", "allocation", "allocation_of_context", "allocations", "budget",
    "budget_allocations", "budget_policies", "budgets", "due", "policies", "policy",
    "policy_balances", "policy_top_ups", "status", "top_ups", "usage_record", "usage_records",
]  # fmt: skip

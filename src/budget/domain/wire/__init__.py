"""Wire: answers as JSON, one pure function for each; every face and client shows the same.

The shapes are written down in `shapes`. Not here: what is read from callers (`engine.intake`),
bytes, and how a face tells its statuses and errors.
"""

from budget.domain.wire.balances import balance, leg, warnings
from budget.domain.wire.budgets import (
    budget,
    changed_budget,
    changed_policy,
    made_top_up,
    policy,
    top_up,
)
from budget.domain.wire.costs import calculation
from budget.domain.wire.estimates import estimate, factors
from budget.domain.wire.journal import event, verification
from budget.domain.wire.parts import amount, amount_text, instant, page, policy_text
from budget.domain.wire.prices import (
    price,
    price_comparison,
    price_decision,
    price_override,
    price_period,
    price_report,
    price_source,
    price_update,
)
from budget.domain.wire.rating import coverage, rerating, what_if
from budget.domain.wire.refusals import refusal, refusal_line, retry_after_seconds
from budget.domain.wire.spending import (
    allocation,
    allocation_in_full,
    check,
    correction,
    receipt,
    usage_record,
)

__all__ = [
    "allocation", "allocation_in_full", "amount", "amount_text", "balance", "budget", "calculation",
    "changed_budget", "changed_policy", "check", "correction", "coverage", "estimate", "event",
    "factors", "instant", "leg", "made_top_up", "page", "policy", "policy_text", "price",
    "price_comparison", "price_decision", "price_override", "price_period", "price_report",
    "price_source", "price_update", "receipt", "refusal", "refusal_line", "rerating",
    "retry_after_seconds", "top_up", "usage_record", "verification", "warnings", "what_if",
]  # fmt: skip

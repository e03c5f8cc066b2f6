"""Budgets in JSON: with their policies and top-ups.

What a change answers (`changed_budget`, `changed_policy`, `made_top_up`) also tells a replay.
"""

from typing import cast

from budget.domain.attributes import scope_to_json
from budget.domain.budgets import Budget, Policy, TopUp, policy_to_json, unpriced_to_json
from budget.domain.shapes import (
    BudgetShape,
    ChangedBudgetShape,
    ChangedPolicyShape,
    MadeTopUpShape,
    PolicyShape,
    TopUpShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount, instant, partition_of


def changed_budget(answer: Budget) -> ChangedBudgetShape:
    """A budget that was created, changed or archived."""
    return {**budget(answer), "replayed": answer.replayed, "notes": list(answer.notes)}


def changed_policy(answer: Policy) -> ChangedPolicyShape:
    """A policy that was created, changed or archived."""
    return {**policy(answer), "replayed": answer.replayed}


def made_top_up(answer: TopUp, unit: str) -> MadeTopUpShape:
    """A top-up that was made."""
    return {**top_up(answer, unit), "replayed": answer.replayed}


def budget(answer: Budget) -> BudgetShape:
    """A budget with its policies."""
    return {
        "budget_id": answer.budget_id,
        "name": answer.name,
        "description": answer.description,
        "owner": answer.owner,
        "scope": scope_to_json(answer.scope),
        "per": list(answer.per),
        "unpriced": unpriced_to_json(answer.unpriced),
        "degrade": list(answer.degrade),
        "policies": [policy(one) for one in answer.policies],
        "metadata": answer.metadata,
        "created_at": to_rfc3339(answer.created_us),
        "updated_at": to_rfc3339(answer.updated_us),
        "archived_at": None if answer.archived_us is None else to_rfc3339(answer.archived_us),
    }


def policy(answer: Policy) -> PolicyShape:
    """One limit of a budget: what a user wrote, and what became of it."""
    return cast(
        PolicyShape,
        {
            "policy_id": answer.policy_id,
            "budget_id": answer.budget_id,
            **policy_to_json(answer),
            "reset_day": answer.calendar.reset_day
            if answer.calendar.period.kind == "monthly"
            else None,
            "partition_by": list(answer.partition_by),
            "top_ups": [top_up(one, answer.unit) for one in answer.top_ups],
            "succeeds": answer.succeeds,
            "created_at": to_rfc3339(answer.created_us),
            "archived_at": None if answer.archived_us is None else to_rfc3339(answer.archived_us),
        },
    )


def top_up(answer: TopUp, unit: str) -> TopUpShape:
    """A recorded raise of a limit, in the unit of its policy."""
    return {
        "top_up_id": answer.top_up_id,
        "policy_id": answer.policy_id,
        "partition": None if answer.partition is None else partition_of(answer.partition),
        "amount": amount(answer.amount, unit),
        "at": to_rfc3339(answer.at_us),
        "until": instant(answer.until_us),
        "actor": answer.actor,
        "reason": answer.reason,
    }

"""Limits in JSON."""

from budget.domain.answers_limits import LimitSet
from budget.domain.shapes_limits import LimitSetShape
from budget.domain.wire.budgets import budget, policy


def limit_set(answer: LimitSet) -> LimitSetShape:
    """The limit that holds now, and what had to be done for it."""
    return {
        "did": answer.did,
        "budget": budget(answer.budget),
        "policy": policy(answer.policy),
        "before": None if answer.before is None else policy(answer.before),
        "replayed": answer.replayed,
    }

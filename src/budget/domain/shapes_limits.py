"""Shapes of limits in JSON."""

from typing import TypedDict

from budget.domain.shapes import BudgetShape, PolicyShape


class LimitSetShape(TypedDict):
    """The limit that holds now, its budget, and what had to be done for it (`did`)."""

    did: str
    budget: BudgetShape
    policy: PolicyShape
    replayed: bool

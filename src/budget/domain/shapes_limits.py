"""Shapes of limits in JSON."""

from typing import TypedDict

from budget.domain.shapes import BudgetShape, PolicyShape


class LimitSetShape(TypedDict):
    """The limit that holds now, its budget, and what had to be done for it (`did`).

    `before` is the policy as it was where that has changed, else null.
    """

    did: str
    budget: BudgetShape
    policy: PolicyShape
    before: PolicyShape | None
    replayed: bool

"""What setting a limit has done, as a value."""

from typing import Literal, NamedTuple

from budget.domain.budgets import Budget, Policy

Did = Literal["created_budget", "created_policy", "changed_policy", "nothing"]


class LimitSet(NamedTuple):
    """The limit that holds now, the budget it is of, and what had to be done for it.

    `before` is the policy as it was where that has changed.
    """

    did: Did
    budget: Budget
    policy: Policy
    replayed: bool = False
    before: Policy | None = None

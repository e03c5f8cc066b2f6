"""Calls: every method of the facade, as something still to be asked of a service.

Each has the name and the parameters of the method of `engine.jobs.Jobs` that it stands for, and
returns a `Request`; `Client` sends it and waits, `AsyncClient` awaits it.
"""

from budget.client.calls.budgets import BudgetCalls
from budget.client.calls.spending import SpendingCalls


class Calls(SpendingCalls, BudgetCalls):
    """The methods. Of the values' rules the service decides; nothing is checked here."""

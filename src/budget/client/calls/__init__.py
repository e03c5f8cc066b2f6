"""Calls: every act of `domain.acts`, as something still to be asked of a service.

Each returns a `Request`; `Client` sends it and waits, `AsyncClient` awaits it. What an act promises
is written in `domain.acts`; here, only where a service differs.
"""

from budget.client.calls.alerts import AlertCalls
from budget.client.calls.audit import AuditCalls
from budget.client.calls.budgets import BudgetCalls
from budget.client.calls.channels import ChannelCalls
from budget.client.calls.contexts import ContextCalls
from budget.client.calls.keys import KeyCalls
from budget.client.calls.prices import PriceCalls
from budget.client.calls.projects import ProjectCalls
from budget.client.calls.rating import RatingCalls
from budget.client.calls.requests import RequestCalls
from budget.client.calls.settings import SettingCalls
from budget.client.calls.spending import SpendingCalls
from budget.client.calls.trials import TrialCalls


class Calls(
    SpendingCalls,
    BudgetCalls,
    RequestCalls,
    SettingCalls,
    PriceCalls,
    RatingCalls,
    KeyCalls,
    AuditCalls,
    ChannelCalls,
    AlertCalls,
    TrialCalls,
    ContextCalls,
    ProjectCalls,
):
    """The methods. Of the values' rules the service decides; nothing is checked here."""

"""Acts: every method that books have, with what it takes, what it answers and what it promises.

The one list of them: `engine.jobs.Jobs` makes jobs of the acts, `client.calls.Calls` requests, and
`domain.facade` has them as methods that wait or are awaited. A type checker holds them together.
"""

from typing import Protocol

from budget.domain.acts.alerts import AlertActs
from budget.domain.acts.audit import AuditActs
from budget.domain.acts.budgets import BudgetActs
from budget.domain.acts.channels import ChannelActs
from budget.domain.acts.contexts import ContextActs
from budget.domain.acts.keys import KeyActs
from budget.domain.acts.prices import PriceActs
from budget.domain.acts.projects import ProjectActs
from budget.domain.acts.rating import RatingActs
from budget.domain.acts.requests import RequestActs
from budget.domain.acts.settings import SettingActs
from budget.domain.acts.spending import SpendingActs
from budget.domain.acts.trials import TrialActs


class Acts(
    SpendingActs,
    BudgetActs,
    RequestActs,
    SettingActs,
    PriceActs,
    RatingActs,
    KeyActs,
    AuditActs,
    ChannelActs,
    AlertActs,
    TrialActs,
    ContextActs,
    ProjectActs,
    Protocol,
):
    """Whoever makes acts, on behalf of a caller. Bad input may raise InvalidInput at once."""

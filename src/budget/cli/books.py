"""Books: whichever the commands speak to, a service over HTTP or a database in this process.

Both answer in the shapes of the API, so a command reads the same whichever it asked. Not here: the calls that
spend; `replay` makes those through the service.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from budget.cli.face import Face
from budget.domain.shapes import BalanceShape, BudgetShape, PolicyShape

Ask = dict[str, Any]


class Books(Protocol):
    """What commands ask of the books. `where` says in words where they lie."""

    where: str

    def status(self, attributes: Mapping[str, str]) -> list[BalanceShape]:
        """Every balance that calls with these attributes meet."""

    def budgets(self) -> Iterator[BudgetShape]:
        """Every budget in force."""

    def budget(self, budget_id: str) -> BudgetShape:
        """One budget."""

    def create_budget(self, asked: Ask) -> BudgetShape:
        """Create a budget with its policies."""

    def create_policy(self, budget_id: str, asked: Ask) -> PolicyShape:
        """Add a policy to a budget."""

    def change_policy(self, policy_id: str, asked: Ask) -> PolicyShape:
        """Change fields of a policy."""

    def verify(self) -> Any:
        """Recompute the books."""

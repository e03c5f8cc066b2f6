"""Books, as the SDK needs them: what `Budget` and `Client` have in common to hold and to book.

Not here: which books a program means (`connecting`).
"""

from collections.abc import Mapping
from typing import Protocol, Unpack

from budget.domain.answers import Allocation, Receipt, Refusal
from budget.domain.answers_pages import Page
from budget.domain.asks import AllocationAsk, ReportAsk, UsageAsk
from budget.domain.asks_budgets import BudgetAsk
from budget.domain.asks_reading import BudgetsAsk
from budget.domain.budgets import Budget


class Books(Protocol):
    """Open books, in-process or behind a service; each method may be called from any thread."""

    def allocate(self, **ask: Unpack[AllocationAsk]) -> Allocation | Refusal:
        """Hold money and tokens for a call, or say why not."""

    def settle(self, allocation_id: str, /, **ask: Unpack[UsageAsk]) -> Receipt:
        """Book what a call really used, as its final record."""

    def record_usage(self, **ask: Unpack[ReportAsk]) -> Receipt:
        """Book usage that nobody reserved."""

    def release(
        self,
        allocation_id: str,
        /,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Allocation:
        """Return the rest of a hold."""

    def allocation(self, allocation_id: str, /) -> Allocation:
        """A hold as it stands."""

    def create_budget(self, **ask: Unpack[BudgetAsk]) -> Budget:
        """Create a budget with its policies."""

    def budgets(self, **ask: Unpack[BudgetsAsk]) -> Page[Budget]:
        """Budgets, in pages."""

    def close(self) -> None:
        """Let go of the books."""


Attributes = Mapping[str, str]

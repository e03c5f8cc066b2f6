"""The progress of a project against its budgets, as values.

Amounts are in the unit of their limit: nano-USD for `usd`, else counts.
"""

from typing import NamedTuple

from budget.domain.answers import BalanceView


class Spent(NamedTuple):
    """What calls used in all."""

    cost_nanos: int = 0
    tokens: int = 0
    requests: int = 0

    def minus(self, other: "Spent") -> "Spent":
        """What is left without the other."""
        return Spent._make(a - b for a, b in zip(self, other, strict=True))


class LimitProgress(NamedTuple):
    """A limit of a project, or of a requirement of it, as it stands.

    By a straight line: `forecast` is what will be spent when its window ends, None where it never
    does or rolls on; `exhausted_us` when it will be used up, None: not in this window.
    """

    balance: BalanceView
    forecast: int | None
    exhausted_us: int | None


class RequirementProgress(NamedTuple):
    """What a requirement has cost, against the limits that are its own; what Telos last said of it,
    None where that is not known.
    """

    requirement: str
    title: str | None
    status: str | None
    spent: Spent
    limits: tuple[LimitProgress, ...]


class ProjectProgress(NamedTuple):
    """What a project has cost, against its limits, and each requirement of it; `unassigned`: what
    calls without a requirement used.
    """

    project: str
    at_us: int
    title: str | None
    spent: Spent
    limits: tuple[LimitProgress, ...]
    requirements: tuple[RequirementProgress, ...]
    unassigned: Spent

"""Alerts as values: what a person should see, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from budget.domain.alerts import Severity
from budget.domain.budgets import Unit

Status = Literal["open", "acknowledged", "dismissed", "resolved"]

STATUSES: Final = ("open", "acknowledged", "dismissed", "resolved", "all")
"""What a list can be asked for."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should see, raised once for its policy, partition, window and kind.

    One about no policy has policy_id "" and its subject, such as a model, as `partition`; its
    window is the UTC day. `detail` is JSON.
    """

    alert_id: str
    kind: str
    severity: Severity
    policy_id: str
    partition: str
    window_us: int
    at_us: int
    detail: str
    acknowledged_us: int | None = None
    acknowledged_by: str | None = None
    dismissed_us: int | None = None
    dismissed_by: str | None = None
    resolved_us: int | None = None
    note: str | None = None
    budget_id: str | None = None
    unit: Unit | None = None
    replayed: bool = False

    @property
    def status(self) -> Status:
        """What became of it: dismissed says more than resolved, and that than acknowledged."""
        if self.dismissed_us is not None:
            return "dismissed"
        if self.resolved_us is not None:
            return "resolved"
        return "open" if self.acknowledged_us is None else "acknowledged"


@dataclass(frozen=True, slots=True)
class AlertCheck:
    """What looking now has raised, and how many alerts it found to be over."""

    raised: Sequence[Alert]
    resolved: int


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """What is alerted of. `runaway_factor`: how many times the usual; above `runaway_floor_nanos`.

    `off` are kinds that are not raised, `severities` those of each kind.
    """

    runaway_factor: int
    runaway_floor_nanos: int
    off: Sequence[str]
    severities: Mapping[str, Severity]
    replayed: bool = False

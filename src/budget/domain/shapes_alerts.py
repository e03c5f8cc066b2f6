"""Shapes of alerts in JSON."""

from typing import Any, TypedDict


class AlertShape(TypedDict):
    """Something a person should see. `subject` is what one is about that is about no policy.

    `details` are its figures when it was raised, amounts in the unit of the policy.
    """

    alert_id: str
    kind: str
    type: str
    severity: str
    status: str
    message: str
    budget_id: str | None
    policy_id: str | None
    partition: dict[str, str | None] | None
    subject: str | None
    window_start: str
    details: dict[str, Any]
    timestamp: str
    acknowledged: bool
    acknowledged_by: str | None
    acknowledged_at: str | None
    note: str | None
    dismissed_by: str | None
    dismissed_at: str | None
    resolved_at: str | None


class ChangedAlertShape(AlertShape):
    """An alert that was acknowledged or dismissed; `replayed`: that had been done before."""

    replayed: bool


class AlertCheckShape(TypedDict):
    """The alerts that looking now has raised, and how many it found to be over."""

    items: list[AlertShape]
    resolved: int


class AlertSettingsShape(TypedDict):
    """What is alerted of, and how severe each kind is."""

    runaway_factor: int
    runaway_floor: str
    off: list[str]
    severities: dict[str, str]


class ChangedAlertSettingsShape(AlertSettingsShape):
    """The settings as they are after a change."""

    replayed: bool

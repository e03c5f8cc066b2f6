"""Alerts in JSON."""

import json
from typing import Any, Final

from budget.domain.alerts import Figures, type_of
from budget.domain.answers_alerts import Alert, AlertCheck, AlertSettings
from budget.domain.budgets import BPS
from budget.domain.money import format_fraction, format_usd
from budget.domain.shapes_alerts import (
    AlertCheckShape,
    AlertSettingsShape,
    AlertShape,
    ChangedAlertSettingsShape,
    ChangedAlertShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount, partition_of

_FIGURES: Final = frozenset(Figures._fields)


def alert(answer: Alert) -> AlertShape:
    """An alert and what became of it."""
    of_policy = bool(answer.policy_id)
    detail: dict[str, Any] = json.loads(answer.detail)
    return {
        "alert_id": answer.alert_id,
        "kind": answer.kind,
        "type": type_of(answer.kind, answer.unit),
        "severity": answer.severity,
        "status": answer.status,
        "message": detail.pop("message", f"{answer.kind}: {answer.partition}"),
        "budget_id": answer.budget_id,
        "policy_id": answer.policy_id or None,
        "partition": partition_of(answer.partition) if of_policy else None,
        "subject": None if of_policy else answer.partition,
        "window_start": to_rfc3339(answer.window_us),
        "details": _details(detail),
        "timestamp": to_rfc3339(answer.at_us),
        "acknowledged": answer.acknowledged_us is not None,
        "acknowledged_by": answer.acknowledged_by,
        "acknowledged_at": _instant(answer.acknowledged_us),
        "note": answer.note,
        "dismissed_by": answer.dismissed_by,
        "dismissed_at": _instant(answer.dismissed_us),
        "resolved_at": _instant(answer.resolved_us),
    }


def changed_alert(answer: Alert) -> ChangedAlertShape:
    """An alert that was acknowledged or dismissed."""
    return {**alert(answer), "replayed": answer.replayed}


def alert_check(answer: AlertCheck) -> AlertCheckShape:
    """What looking now has found."""
    return {"items": [alert(one) for one in answer.raised], "resolved": answer.resolved}


def alert_settings(answer: AlertSettings) -> AlertSettingsShape:
    """What is alerted of."""
    return {
        "runaway_factor": answer.runaway_factor,
        "runaway_floor": format_usd(answer.runaway_floor_nanos),
        "off": list(answer.off),
        "severities": dict(answer.severities),
    }


def changed_alert_settings(answer: AlertSettings) -> ChangedAlertSettingsShape:
    """What is alerted of, after a change."""
    return {**alert_settings(answer), "replayed": answer.replayed}


def _details(detail: dict[str, Any]) -> dict[str, Any]:
    unit = detail.get("unit")
    if unit is None:
        return detail
    told = {
        name: amount(value, unit) if name in _FIGURES else value for name, value in detail.items()
    }
    used, limit = detail["spent"] + detail["assumed"], detail["limit"]
    told["used"] = amount(used, unit)
    told["usage_percentage"] = format_fraction(used * BPS // limit) if limit else None
    return told


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else to_rfc3339(at_us)

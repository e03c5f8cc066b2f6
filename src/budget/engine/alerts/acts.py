"""Acts on alerts: acknowledging and dismissing one. Neither lets it be raised again in its window.

Not here: which alerts are over (`resolving`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import update

from budget.domain.answers_alerts import Alert
from budget.domain.asks_alerts import AcknowledgeAsk, DismissAsk
from budget.engine.alerts import rows
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.changes import once, requested
from budget.engine.fields import only_fields, parse_reason

_ACKNOWLEDGE: Final = frozenset(AcknowledgeAsk.__annotations__)
_DISMISS: Final = frozenset(DismissAsk.__annotations__)


def acknowledging(
    alert_id: str, ask: Mapping[str, Any], caller: Caller
) -> Callable[[Batch], Alert]:
    """The change of `acknowledge_alert`. Of one that was before: that one as it is."""
    only_fields(ask, _ACKNOWLEDGE)
    note = parse_reason(ask.get("note"), required=False, field="note") or None
    request = requested("acknowledge_alert", ask, caller, alert_id)

    def acknowledge(batch: Batch) -> tuple[Alert, str]:
        alert = rows.seen(batch, alert_id, caller.bound)
        if alert.acknowledged_us is not None:
            return replace(alert, replayed=True), alert_id
        done = replace(
            alert, acknowledged_us=batch.now_us, acknowledged_by=caller.actor, note=note
        )  # fmt: skip
        names = ("acknowledged_us", "acknowledged_by", "note")
        _store(batch, done, names)
        enter(batch, "alert_acknowledged", caller.actor, done, {"note": note} if note else {})
        return done, alert_id

    return once(request, acknowledge, _present(caller), catalogue=False)


def dismissing(alert_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Alert]:
    """The change of `dismiss_alert`. Of one that was before: that one as it is."""
    only_fields(ask, _DISMISS)
    request = requested("dismiss_alert", ask, caller, alert_id)

    def dismiss(batch: Batch) -> tuple[Alert, str]:
        alert = rows.seen(batch, alert_id, caller.bound)
        if alert.dismissed_us is not None:
            return replace(alert, replayed=True), alert_id
        done = replace(alert, dismissed_us=batch.now_us, dismissed_by=caller.actor)
        _store(batch, done, ("dismissed_us", "dismissed_by"))
        enter(batch, "alert_dismissed", caller.actor, done, {})
        return done, alert_id

    return once(request, dismiss, _present(caller), catalogue=False)


def enter(batch: Batch, kind: str, actor: str, alert: Alert, more: Mapping[str, object]) -> None:
    """Write the entry of something that became of an alert."""
    message = json.loads(alert.detail).get("message")
    detail = {
        "alert_id": alert.alert_id, "alert": alert.kind, "severity": alert.severity,
        "partition": alert.partition, "window_us": alert.window_us,
        **({"message": message} if message else {}), **more,
    }  # fmt: skip
    batch.enter(
        kind, actor, [], detail,
        budget_id=alert.budget_id, policy_id=alert.policy_id or None,
    )  # fmt: skip


def _present(caller: Caller) -> Callable[[Batch, str], Alert]:
    return lambda batch, ref: rows.seen(batch, ref, caller.bound)


def _store(batch: Batch, alert: Alert, names: tuple[str, ...]) -> None:
    values = {name: getattr(alert, name) for name in names}
    of = rows.table.c.id == alert.alert_id
    batch.unit.execute(update(rows.table).where(of).values(values))

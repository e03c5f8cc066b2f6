"""Alerts read."""

import json
from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import amount, nanos, partition, us, us_or_none
from budget.domain.alerts import TYPES, Figures
from budget.domain.answers_alerts import Alert, AlertCheck, AlertSettings
from budget.domain.budgets import UNITS, Unit


def alert(shape: Mapping[str, Any]) -> Alert:
    """An alert and what became of it."""
    of = shape["partition"]
    return Alert(
        alert_id=shape["alert_id"],
        kind=shape["kind"],
        severity=shape["severity"],
        policy_id=shape["policy_id"] or "",
        partition=shape["subject"] if of is None else partition(of),
        window_us=us(shape["window_start"]),
        at_us=us(shape["timestamp"]),
        detail=_detail(shape),
        acknowledged_us=us_or_none(shape["acknowledged_at"]),
        acknowledged_by=shape["acknowledged_by"],
        dismissed_us=us_or_none(shape["dismissed_at"]),
        dismissed_by=shape["dismissed_by"],
        resolved_us=us_or_none(shape["resolved_at"]),
        note=shape["note"],
        budget_id=shape["budget_id"],
        unit=_unit(shape),
        replayed=shape.get("replayed", False),
    )


def _detail(shape: Mapping[str, Any]) -> str:
    told = dict(shape["details"])
    if told.get("unit") is not None:
        told.pop("used", None)
        told.pop("usage_percentage", None)
        told |= {name: amount(told[name]) for name in Figures._fields if name in told}
    return json.dumps({**told, "message": shape["message"]})


def _unit(shape: Mapping[str, Any]) -> Unit | None:
    """The unit of its policy: told by its details, else by its type as far as that tells."""
    told = shape["details"].get("unit")
    if told is None and shape["type"] in TYPES:
        told = TYPES[shape["type"]][1][0]
    return next((unit for unit in UNITS if unit == told), None)


def alert_check(shape: Mapping[str, Any]) -> AlertCheck:
    """What looking now has found."""
    return AlertCheck([alert(one) for one in shape["items"]], shape["resolved"])


def alert_settings(shape: Mapping[str, Any]) -> AlertSettings:
    """What is alerted of."""
    return AlertSettings(
        shape["runaway_factor"], nanos(shape["runaway_floor"]), tuple(shape["off"]),
        shape["severities"], shape.get("replayed", False),
    )  # fmt: skip

"""The journal read: its entries as events, who changed what, and what a verification found."""

import json
from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import nanos, us
from budget.domain.answers import Event
from budget.domain.answers_audit import (
    FIRST_SEAL,
    AuditRecord,
    ClockConfirmed,
    Sealed,
    Verification,
    Violation,
)
from budget.domain.cursors import decode
from budget.domain.wire.journal import FIGURES


def event(shape: Mapping[str, Any]) -> Event:
    """An entry of the journal."""
    return Event(
        decode(shape["cursor"]),
        us(shape["at"]),
        shape["kind"],
        shape["actor"],
        shape["allocation_id"],
        shape["usage_id"],
        shape["budget_id"],
        shape["policy_id"],
        json.dumps([_posting(one) for one in shape["legs"]]),
        json.dumps(_detail(shape["detail"])),
    )


def _posting(shape: Mapping[str, Any]) -> tuple[int | None, ...]:
    return (
        shape["balance"], us(shape["window_start"]), shape["spent"], shape["reserved"],
        shape["assumed"], shape["overrun"], shape["version"], shape["limit"],
    )  # fmt: skip


def _detail(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    if shape.get("unit") != "usd":
        return shape
    return {
        name: nanos(value) if name in FIGURES and isinstance(value, str) else value
        for name, value in shape.items()
    }


def audit_record(shape: Mapping[str, Any]) -> AuditRecord:
    """One change."""
    detail, changes = shape["detail"], shape["changes"]
    told = {**detail, **changes} if "changes" in detail else {**detail, "changes": changes}
    return AuditRecord(
        decode(shape["cursor"]), us(shape["at"]), shape["kind"], shape["actor"],
        shape["actor_name"], shape["usage_id"], shape["budget_id"], shape["policy_id"],
        json.dumps(told if changes else detail),
    )  # fmt: skip


def verification(shape: Mapping[str, Any]) -> Verification:
    """What a verification of the books found."""
    sealed = shape["sealed"]
    head = sealed["head"]
    return Verification(
        shape["entries"],
        shape["usage_records"],
        shape["allocations"],
        shape["balances"],
        Sealed(
            sealed["blocks"], sealed["entries"],
            FIRST_SEAL if head is None else head.partition(":")[2],
        ),
        tuple(
            Violation(one["invariant"], one["subject"], one["detail"])
            for one in shape["violations"]
        ),
        shape["count"],
    )  # fmt: skip


def clock_confirmed(shape: Mapping[str, Any]) -> ClockConfirmed:
    """That the clock was confirmed."""
    return ClockConfirmed(us(shape["at"]), shape["was_paused"])

"""Shapes of the audit log, and of a clock confirmed, in JSON."""

from collections.abc import Mapping
from typing import Any, TypedDict


class ChangeShape(TypedDict):
    """A field's value before and after."""

    old: Any
    new: Any


class ClockConfirmedShape(TypedDict):
    """That the clock was confirmed; `was_paused` says whether holds had ceased to expire."""

    at: str
    was_paused: bool


class AuditRecordShape(TypedDict):
    """Who changed what, when; `changes` has the fields that were changed, `detail` the rest."""

    cursor: str
    at: str
    kind: str
    actor: str
    actor_name: str | None
    usage_id: str | None
    budget_id: str | None
    policy_id: str | None
    changes: Mapping[str, ChangeShape]
    detail: Mapping[str, Any]

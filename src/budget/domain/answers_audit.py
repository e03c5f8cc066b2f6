"""Answers about the audit log, as values."""

from typing import NamedTuple


class AuditRecord(NamedTuple):
    """One change: who made it (`actor_name`: the name of the key), and of what.

    `detail` is JSON: what was new, or each field that changed with its old and its new value.
    """

    cursor: int
    at_us: int
    kind: str
    actor: str
    actor_name: str | None
    usage_id: str | None
    budget_id: str | None
    policy_id: str | None
    detail: str

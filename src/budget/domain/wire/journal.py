"""The journal in JSON: its entries, which are the events, and what a verification of it found."""

import json
from typing import Any, Final

from budget.domain.answers import Event
from budget.domain.answers_audit import Verification
from budget.domain.money import format_usd
from budget.domain.shapes import EventShape, PostingShape, VerificationShape
from budget.domain.windows import to_rfc3339


def event(answer: Event, cursor: str) -> EventShape:
    """An entry of the journal; `cursor` is its place as readers write it."""
    return {
        "cursor": cursor,
        "at": to_rfc3339(answer.at_us),
        "kind": answer.kind,
        "actor": answer.actor,
        "allocation_id": answer.allocation_id,
        "usage_id": answer.usage_id,
        "budget_id": answer.budget_id,
        "policy_id": answer.policy_id,
        "legs": [_posting(*posting) for posting in json.loads(answer.legs)],
        "detail": _detail(json.loads(answer.detail)),
    }


def _posting(
    head_id: int,
    cell_us: int,
    spent: int,
    reserved: int,
    assumed: int,
    overrun: int,
    version: int,
    limit: int | None,
) -> PostingShape:
    return {
        "balance": head_id,
        "version": version,
        "window_start": to_rfc3339(cell_us),
        "spent": spent,
        "reserved": reserved,
        "assumed": assumed,
        "overrun": overrun,
        "limit": limit,
    }


FIGURES: Final = (
    "limit", "spent", "reserved", "assumed", "overrun", "requested", "shortfall",
)  # fmt: skip


def _detail(detail: dict[str, Any]) -> dict[str, Any]:
    """What an entry tells beside its legs; the figures of a refusal as amounts of their unit."""
    unit = detail.get("unit")
    if unit != "usd":
        return detail
    return {
        name: format_usd(value) if name in FIGURES and type(value) is int else value
        for name, value in detail.items()
    }


def verification(answer: Verification) -> VerificationShape:
    """What a verification of the books found."""
    return {
        "clean": not answer.count,
        "count": answer.count,
        "entries": answer.entries,
        "usage_records": answer.usage_records,
        "allocations": answer.allocations,
        "balances": answer.balances,
        "sealed": {
            "blocks": answer.sealed.blocks,
            "entries": answer.sealed.entries,
            "head": answer.sealed.anchor,
        },
        "violations": [
            {"invariant": invariant, "subject": subject, "detail": detail}
            for invariant, subject, detail in answer.violations
        ],
    }

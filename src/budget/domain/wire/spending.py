"""Calls in JSON: allocations, checks, receipts, usage records and corrections."""

from typing import Any

from budget.domain.answers import (
    Allocation,
    Check,
    Correction,
    Receipt,
    Refusal,
    UsageRecord,
)
from budget.domain.shapes import (
    AllocationInFullShape,
    AllocationShape,
    CheckShape,
    CorrectionShape,
    ReceiptShape,
    UsageRecordShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.balances import balance, leg, warnings
from budget.domain.wire.parts import holding, metadata_of, money
from budget.domain.wire.refusals import refusal


def allocation(answer: Allocation) -> AllocationShape:
    """A hold."""
    return {
        "allocation_id": answer.allocation_id,
        "status": answer.status,
        "reserved": holding(answer.reserved),
        "remaining": holding(answer.remaining),
        "granted_output_tokens": answer.granted_output_tokens,
        "placed_at": to_rfc3339(answer.placed_us),
        "expires_at": to_rfc3339(answer.expires_us),
        "basis": answer.basis,
        "legs": [leg(view) for view in answer.legs],
        "warnings": warnings(answer.legs),
        "attributes": answer.attributes,
        "provider": answer.provider,
        "model": answer.model,
        "priority": answer.priority,
        "envelope": answer.envelope,
        "parent_id": answer.parent_id,
        "metadata": metadata_of(answer.metadata),
        "replayed": answer.replayed,
    }


def allocation_in_full(answer: Allocation) -> AllocationInFullShape:
    """A hold with its usage records and its children."""
    return {
        **allocation(answer),
        "records": [usage_record(record) for record in answer.records],
        "children": [allocation(child) for child in answer.children],
    }


def check(answer: Check | Refusal) -> CheckShape | dict[str, Any]:
    """What `allocate` would answer; `allowed` tells which of the two."""
    if isinstance(answer, Refusal):
        return {"allowed": False, **refusal(answer)}
    return {
        "allowed": True,
        "reserved": holding(answer.reserved),
        "granted_output_tokens": answer.granted_output_tokens,
        "basis": answer.basis,
        "legs": [leg(view) for view in answer.legs],
        "warnings": warnings(answer.legs),
    }


def receipt(answer: Receipt) -> ReceiptShape:
    """What booking a usage record did."""
    expires_us, remaining = answer.expires_us, answer.remaining
    return {
        "usage_id": answer.usage_id,
        "cost": money(answer.cost_nanos),
        "basis": answer.basis,
        "flags": list(answer.flags),
        "replayed": answer.replayed,
        "allocation": None
        if answer.allocation_id is None
        else {
            "allocation_id": answer.allocation_id,
            "status": answer.status,
            "expires_at": None if expires_us is None else to_rfc3339(expires_us),
            "remaining": None if remaining is None else holding(remaining),
        },
        "balances": [balance(view) for view in answer.balances],
    }


def correction(answer: Correction) -> CorrectionShape:
    """A reversal, and its replacement."""
    return {
        "reversal_id": answer.reversal_id,
        "replacement_id": answer.replacement_id,
        "cost": money(answer.cost_nanos),
        "replayed": answer.replayed,
        "balances": [balance(view) for view in answer.balances],
    }


def usage_record(answer: UsageRecord) -> UsageRecordShape:
    """A usage record."""
    usage = answer.usage
    return {
        "usage_id": answer.usage_id,
        "allocation_id": answer.allocation_id,
        "actor": answer.actor,
        "recorded_at": to_rfc3339(answer.recorded_us),
        "occurred_at": to_rfc3339(answer.occurred_us),
        "attributes": answer.attributes,
        "provider": answer.provider,
        "model": answer.model,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "units": dict(usage.units),
        "price_context": answer.price_context,
        "requests": usage.requests,
        "cost": money(answer.cost_nanos),
        "reported_cost": money(answer.reported_cost_nanos),
        "basis": answer.basis,
        "flags": list(answer.flags),
        "final": answer.final,
        "reverses": answer.reverses,
        "replaces": answer.replaces,
        "reason": answer.reason,
        "metadata": metadata_of(answer.metadata),
    }

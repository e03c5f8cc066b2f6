"""Calls read: allocations, checks, receipts, usage records and corrections."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.balances import balances
from budget.client.reading.parts import held, metadata, nanos_or_none, us
from budget.client.reading.refusals import refusal
from budget.domain.answers import Allocation, Check, Correction, Receipt, Refusal, UsageRecord
from budget.domain.usage import Usage, units_of


def allocation(shape: Mapping[str, Any]) -> Allocation:
    """A hold; in full if its records and children are told."""
    return Allocation(
        allocation_id=shape["allocation_id"],
        status=shape["status"],
        reserved=held(shape["reserved"]),
        remaining=held(shape["remaining"]),
        granted_output_tokens=shape["granted_output_tokens"],
        placed_us=us(shape["placed_at"]),
        expires_us=us(shape["expires_at"]),
        basis=shape["basis"],
        legs=balances(shape["legs"]),
        attributes=shape["attributes"],
        provider=shape["provider"],
        model=shape["model"],
        priority=shape["priority"],
        envelope=shape["envelope"],
        parent_id=shape["parent_id"],
        metadata=metadata(shape["metadata"]),
        replayed=shape["replayed"],
        records=tuple(usage_record(one) for one in shape.get("records", ())),
        children=tuple(allocation(one) for one in shape.get("children", ())),
    )


def check(shape: Mapping[str, Any]) -> Check | Refusal:
    """What `allocate` would answer."""
    if not shape["allowed"]:
        return refusal(shape)
    return Check(
        held(shape["reserved"]), shape["granted_output_tokens"], shape["basis"],
        balances(shape["legs"]),
    )  # fmt: skip


def receipt(shape: Mapping[str, Any]) -> Receipt:
    """What booking a usage record did."""
    told = Receipt(
        shape["usage_id"], nanos_or_none(shape["cost"]), shape["basis"], tuple(shape["flags"]),
        balances(shape["balances"]), replayed=shape["replayed"],
    )  # fmt: skip
    of = shape["allocation"]
    if of is None:
        return told
    expires_at, remaining = of["expires_at"], of["remaining"]
    return told._replace(
        allocation_id=of["allocation_id"],
        status=of["status"],
        expires_us=None if expires_at is None else us(expires_at),
        remaining=None if remaining is None else held(remaining),
    )


def correction(shape: Mapping[str, Any]) -> Correction:
    """A reversal, and its replacement."""
    return Correction(
        shape["reversal_id"], shape["replacement_id"], nanos_or_none(shape["cost"]),
        balances(shape["balances"]), shape["replayed"],
    )  # fmt: skip


def usage_record(shape: Mapping[str, Any]) -> UsageRecord:
    """A usage record."""
    counts = {name: shape[name] for name in Usage._fields if name != "units"}
    return UsageRecord(
        usage_id=shape["usage_id"],
        allocation_id=shape["allocation_id"],
        actor=shape["actor"],
        recorded_us=us(shape["recorded_at"]),
        occurred_us=us(shape["occurred_at"]),
        attributes=shape["attributes"],
        provider=shape["provider"],
        model=shape["model"],
        usage=Usage(**counts, units=units_of(shape["units"])),
        cost_nanos=nanos_or_none(shape["cost"]),
        reported_cost_nanos=nanos_or_none(shape["reported_cost"]),
        basis=shape["basis"],
        flags=tuple(shape["flags"]),
        final=shape["final"],
        reverses=shape["reverses"],
        replaces=shape["replaces"],
        reason=shape["reason"],
        metadata=metadata(shape["metadata"]),
        price_context=shape["price_context"],
    )

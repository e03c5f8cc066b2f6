"""Booking: how a usage record is priced, written, rolled up and answered, whoever reports it."""

from collections.abc import Mapping
from typing import Final

from budget.domain import facts
from budget.domain.allocations import Holding
from budget.domain.answers import (
    BalanceView,
    Receipt,
)
from budget.domain.errors import Conflict, InvalidInput, KeyReused
from budget.domain.money import MAX_HOLD_NANOS, format_usd
from budget.domain.pricing import Rates, cost_nanos, decode_rates, encode_rates, unpriced_units
from budget.domain.usage import Usage
from budget.engine import rows
from budget.engine.acts.before import seen
from budget.engine.batch import Batch
from budget.engine.commands import Command, Record, Report
from budget.storage.unit import Row

_new = tuple.__new__  # makes a named tuple at half the price; a ledger makes millions

REPORTED_DIFFERS_BY: Final = 20
"""A reported cost that differs from ours by more than 1/20 (5%) raises an alert."""


def occurred(said_us: int | None, now_us: int) -> int:
    """When usage occurred: up to five minutes ahead is now, InvalidInput for more."""
    if said_us is None:
        return now_us
    if said_us > now_us + facts.FUTURE_US:
        raise InvalidInput("occurred_at", "lies more than 5 minutes ahead; check the clock.")
    return min(said_us, now_us)


def recorded_before(batch: Batch, command: Record | Report) -> Row | None:
    ref = seen(batch, command)
    if ref is not None:
        return batch.usage[ref]
    row = batch.usage.get(command.usage_id) if command.chosen else None
    if row is None:
        return None
    if row[3] != command.actor:
        raise Conflict("This usage_id is taken; choose another.", code="id_taken")
    if row[26] != command.request_hash:
        raise KeyReused("This usage_id was used before with another payload; choose another.")
    return row


def cost_of(
    rates: Rates | None, usage: Usage, command: Record | Report
) -> tuple[int | None, list[str]]:
    """The cost to book (ours if priced, else a trusted reporter's), and the flags it earns."""
    if rates is not None:
        return priced(rates, usage), ["unpriced"] if unpriced_units(rates, usage.units) else []
    if not any(usage):
        return 0, []  # the call never happened: whatever the model, that is free
    if command.reported_cost_nanos is not None and command.manage:
        return command.reported_cost_nanos, []
    return None, ["unpriced"]


def priced(rates: Rates, usage: Usage) -> int:
    """The cost of usage in nano-USD; InvalidInput for more than one record may cost."""
    cost = cost_nanos(rates, usage)
    if cost > MAX_HOLD_NANOS:
        raise InvalidInput(
            "usage",
            f"would cost {format_usd(cost)} USD; one record is at most "
            f"{format_usd(MAX_HOLD_NANOS)} USD. Check the counts, or report it in parts.",
        )
    return cost


def stand_in(batch: Batch, model: str | None, attributes: Mapping[str, str]) -> Rates | None:
    if model is None:
        return None
    rule = batch.catalogue.match(attributes).unpriced
    return rule if isinstance(rule, Rates) else None


def book(
    batch: Batch,
    command: Command,
    entry_id: int,
    usage: Usage,
    cost: int | None,
    flags: list[str],
    *,
    usage_id: str,
    attributes_json: str,
    provider: str | None,
    model: str | None,
    rates: Rates | None,
    allocation_id: str | None = None,
    final: bool = False,
    reported: int | None = None,
    occurred_us: int,
    reverses: str | None = None,
    replaces: str | None = None,
    reason: str | None = None,
    metadata: str = "{}",
    price_context: str | None = None,
) -> Row:
    """Write a usage record, its tags and its rollups; the USAGE_COLUMNS row."""
    attributes = rows.decode_attributes(attributes_json)
    row: Row = (
        usage_id, allocation_id, entry_id, command.actor, batch.now_us, occurred_us,
        attributes_json, provider, model,
        attributes.get("session"), attributes.get("task"), *usage[:-1], cost, reported,
        None if rates is None else encode_rates(rates), " ".join(flags), int(final),
        reverses, replaces, reason, command.request_hash, metadata,
        rows.units_to_json(usage.units), price_context,
    )  # fmt: skip
    batch.changes.usage.append(row)
    for name, value in rows.tags_of(attributes_json):
        batch.changes.usage_tags.append((name, value, usage_id))
    batch.usage[usage_id] = row
    batch.roll_up(attributes_json, occurred_us, usage, cost, -1 if reverses else 1)
    if "unpriced" in flags:
        units = () if rates is None else unpriced_units(rates, usage.units)
        told = {"model": model, "usage_id": usage_id, "units": units}
        batch.alert_subject("unpriced", model or "", told)
    if (
        reported is not None
        and cost is not None
        and abs(reported - cost) * REPORTED_DIFFERS_BY > cost
    ):
        detail = {
            "usage_id": usage_id, "cost": format_usd(cost), "reported_cost": format_usd(reported),
        }  # fmt: skip
        batch.alert_subject("cost_differs", model or "", detail)
    return row


def receipt(batch: Batch, row: Row, holding: Holding | None, *, replayed: bool = False) -> Receipt:
    rates = row[20]
    basis = None if rates is None else decode_rates(rates).basis
    flags = tuple(row[21].split())
    if holding is None:
        return Receipt(row[0], row[18], basis, flags, _booked_views(batch, row), replayed=replayed)
    state = holding.state
    return _new(
        Receipt,
        (
            row[0], row[18], basis, flags, batch.views(holding), holding.terms.allocation_id,
            state.status, state.expires_us, state.left, replayed,
        ),
    )  # fmt: skip


def _booked_views(batch: Batch, row: Row) -> tuple[BalanceView, ...]:
    match = batch.catalogue.match(rows.usage_from_row(row).attributes)
    return tuple(batch.view(balance) for balance in batch.balances_of(match))

"""Correcting: reversing a usage record, once, and booking its replacement."""

from collections.abc import Iterable
from typing import Any

from budget.domain import facts
from budget.domain.allocations import Amounts, amounts_of
from budget.domain.answers import (
    Correction,
    UsageRecord,
)
from budget.domain.errors import Conflict, Forbidden, NotFound
from budget.domain.pricing import Rates, decode_rates, unpriced_units
from budget.domain.rights import covers, pins
from budget.domain.usage import Usage, negated
from budget.engine import rows
from budget.engine.acts.before import claim, seen
from budget.engine.acts.booking import book, priced
from budget.engine.backfill import counted
from budget.engine.batch import Batch, Booked, SetAside
from budget.engine.commands import Correct
from budget.storage.unit import Row


def plan_correct(batch: Batch, command: Correct) -> None:
    claim(batch, command, _correction_ref(command))
    batch.needs.usage.add(command.usage_id)


def _correction_ref(command: Correct) -> str:
    """The ids a correction makes: the reversal's, and the replacement's after a space."""
    return " ".join(filter(None, (command.reversal_id, command.replacement_id)))


def meet_correct(batch: Batch, command: Correct) -> None:
    row = batch.usage.get(command.usage_id)
    if row is None:
        return
    for reversed_id, reversal_id in batch.unit.reversals([command.usage_id]):
        batch.reversed[reversed_id] = reversal_id
    booked = batch.correcting[command.usage_id] = _booked(batch, row)
    batch.needs.heads.update(booked)


def _booked(batch: Batch, row: Row) -> Booked:
    """What a record has spent, cell by cell, in the order it was booked.

    The entry of a replacement tells only how it differs from what it replaced, so all entries back
    to the first record are added up, after what policies that began later have counted of it.
    """
    records = [row]
    while records[0][24] is not None:
        records[:0] = batch.unit.usage([records[0][24]])
    legs = dict(batch.unit.entry_legs([record[2] for record in records]))
    posted = [
        (head_id, cell_us, spent)
        for record in records
        for head_id, cell_us, spent, *_ in rows.postings_from_json(legs[record[2]])
    ]
    sums: dict[int, dict[int, int]] = {}
    for head_id, cell_us, spent in (*counted(batch, records, posted), *posted):
        cells = sums.setdefault(head_id, {})
        cells[cell_us] = cells.get(cell_us, 0) + spent
    return {head_id: list(cells.items()) for head_id, cells in sums.items()}


def want_correct(batch: Batch, command: Correct) -> None:
    for head_id, cells in batch.correcting.get(command.usage_id, {}).items():
        for cell_us, _ in cells:
            batch.want_window(head_id, cell_us)


def _check_theirs(batch: Batch, command: Correct, heads: Iterable[int]) -> None:
    """Forbidden where a caller that is bound would give budgets of others their money back."""
    budgets = batch.catalogue.budgets
    scopes = [budgets[batch.balances[head_id].policy.budget_id].scope for head_id in heads]
    if not all(pins(command.bound, scope) for scope in scopes):
        raise Forbidden(
            "This usage counts in budgets that are not of this key's attributes alone; whoever "
            "manages those may correct it."
        )


def run_correct(batch: Batch, command: Correct) -> Correction:
    ref = seen(batch, command)
    if ref is not None:
        return _corrected_before(batch, command, ref)
    row = _correctable(batch, command)
    old = rows.usage_from_row(row)
    old_rates = None if row[20] is None else decode_rates(row[20])
    rates = command.rates or old_rates
    usage, cost, reported = command.replacement, None, None
    if usage is not None:
        reported = command.reported_cost_nanos
        if reported is None:
            reported = old.reported_cost_nanos
        cost = _cost(command, usage, rates, old)
    booked = batch.correcting[command.usage_id]
    if command.bound:
        _check_theirs(batch, command, booked)
    new = Amounts(0, 0, 0, 0, 0) if usage is None else amounts_of(usage, cost)
    decided = facts.correct(booked, new, batch.balances)
    flags = ["correction"] if command.rates is None else ["correction", "rerated"]
    if decided.overran:
        flags.append("overrun")
    if usage is not None and (cost is None or (rates and unpriced_units(rates, usage.units))):
        flags.append("unpriced")
    legs = batch.apply(decided)
    entry_id = batch.enter(
        "corrected", command.actor, legs, _detail(command),
        allocation_id=old.allocation_id, usage_id=command.usage_id,
    )  # fmt: skip
    shared: dict[str, Any] = {
        "attributes_json": row[6], "provider": old.provider, "model": old.model,
        "allocation_id": old.allocation_id, "occurred_us": old.occurred_us,
        "reason": command.reason, "metadata": "{}", "price_context": row[29],
    }  # fmt: skip
    minus = None if old.cost_nanos is None else -old.cost_nanos
    book(
        batch, command, entry_id, negated(old.usage), minus, ["correction"],
        usage_id=command.reversal_id, reverses=command.usage_id, rates=old_rates, **shared,
    )  # fmt: skip
    if usage is not None:
        assert command.replacement_id is not None
        book(
            batch, command, entry_id, usage, cost, flags,
            usage_id=command.replacement_id, replaces=command.usage_id, rates=rates,
            reported=reported, **shared,
        )  # fmt: skip
    batch.reversed[command.usage_id] = command.reversal_id
    batch.take_key(command, _correction_ref(command))
    views = tuple(batch.view(batch.balances[head_id]) for head_id in booked)
    return Correction(command.reversal_id, command.replacement_id, cost, views)


def _correctable(batch: Batch, command: Correct) -> Row:
    """The record to be corrected, which may be, once."""
    row = batch.usage.get(command.usage_id)
    if row is None or not covers(command.bound, rows.decode_attributes(row[6])):
        raise NotFound("usage record", command.usage_id)
    if command.usage_id not in batch.correcting:
        raise SetAside  # booked by this very batch: its legs are to be read from the journal
    if row[23] is not None:
        raise Conflict("A reversal cannot be corrected itself.", code="is_reversal")
    if command.usage_id in batch.reversed:
        raise Conflict(
            f"The record was reversed before, by {batch.reversed[command.usage_id]}.",
            code="already_corrected",
        )
    return row


def _detail(command: Correct) -> dict[str, str]:
    detail = {"reason": command.reason, "corrects": command.usage_id}
    return detail if command.rates is None else {**detail, "basis": command.rates.basis}


def _cost(command: Correct, usage: Usage, rates: Rates | None, old: UsageRecord) -> int | None:
    """What the replacement costs; without a price as reported now, or as booked before."""
    if rates is not None:
        return priced(rates, usage)
    if command.reported_cost_nanos is not None:
        return command.reported_cost_nanos
    if not any(usage):
        return 0
    return None if old.reported_cost_nanos is None else old.cost_nanos


def _corrected_before(batch: Batch, command: Correct, ref: str) -> Correction:
    reversal_id, _, replacement_id = ref.partition(" ")
    views = tuple(
        batch.view(batch.balances[head_id]) for head_id in batch.correcting[command.usage_id]
    )
    cost = batch.usage[replacement_id][18] if replacement_id else None
    return Correction(reversal_id, replacement_id or None, cost, views, replayed=True)

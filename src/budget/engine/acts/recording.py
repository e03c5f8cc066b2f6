"""Recording: usage on an allocation, and usage that nobody reserved."""

from collections.abc import Sequence

from budget.domain import facts
from budget.domain.allocations import Amounts, Holding, Terms, amounts_of
from budget.domain.answers import (
    Receipt,
)
from budget.domain.balances import Balance
from budget.domain.decide import Decided
from budget.domain.errors import Conflict
from budget.domain.pricing import Rates, decode_rates
from budget.domain.usage import Usage
from budget.engine import rows
from budget.engine.acts.before import claim, holding_of, parent_of
from budget.engine.acts.booking import (
    book,
    cost_of,
    occurred,
    receipt,
    recorded_before,
    stand_in,
)
from budget.engine.acts.holding import check_children, end_children
from budget.engine.batch import Batch
from budget.engine.commands import Record, Report
from budget.storage.unit import Row


def plan_record(batch: Batch, command: Record) -> None:
    claim(batch, command, command.usage_id)
    batch.needs.allocations.add(command.allocation_id)
    batch.needs.settling.add(command.allocation_id)
    if command.chosen:
        batch.needs.usage.add(command.usage_id)
    if command.final:
        batch.needs.ending.add(command.allocation_id)


def meet_record(batch: Batch, command: Record) -> None:
    holding = batch.holdings.get(command.allocation_id)
    if holding is not None:
        terms = holding.terms
        if _is_priced_otherwise(command, terms.model, terms.rates):
            batch.needs.pairs.update(dict.fromkeys(_met_beside(batch, terms, command)))


def run_record(batch: Batch, command: Record) -> Receipt:
    holding = holding_of(batch, command.allocation_id, command.bound)
    before = recorded_before(batch, command)
    if before is None and holding.state.status == "settled":
        before = _same_as_settled(batch, holding, command)
    if before is not None:
        return receipt(batch, before, holding, replayed=True)
    occurred_us = occurred(command.occurred_us, batch.now_us)
    terms = holding.terms
    rates = terms.rates
    other = _is_priced_otherwise(command, terms.model, rates)
    if other:
        rates = command.rates or rates or stand_in(batch, command.model, terms.attributes)
    # Before anything is changed: where one was not foreseen, the command is set aside.
    beside = batch.balances_by(_met_beside(batch, terms, command)) if other else []
    told = command if other else terms
    in_context = command if other or command.in_context else terms
    requests = command.requests
    if requests is None:
        requests = 1 if holding.state.records == 0 else 0
    usage = command.usage
    if requests != usage.requests:
        usage = usage._replace(requests=requests)
    cost, flags = cost_of(rates, usage, command)
    if command.final:
        check_children(batch, holding)
        end_children(batch, holding)
    if holding.state.status in ("expired", "released"):
        flags.insert(0, "late")
    decided = facts.record(
        holding,
        amounts_of(usage, cost),
        batch.balances,
        usage_id=command.usage_id,
        final=command.final,
        now_us=batch.now_us,
        parent=parent_of(batch, holding),
    )
    if beside:
        flags.append("unreserved")
        decided = _counted_beside(batch, beside, decided, amounts_of(usage, cost))
    if decided.overran:
        flags.append("overrun")
    legs = batch.apply(decided)
    kind = "settled" if command.final else "recorded"
    entry_id = batch.enter(
        kind, command.actor, legs, {"flags": flags} if flags else None,
        allocation_id=command.allocation_id, usage_id=command.usage_id,
    )  # fmt: skip
    row = book(
        batch, command, entry_id, usage, cost, flags, usage_id=command.usage_id,
        attributes_json=_with_model(terms, command) if other else terms.attributes_json,
        provider=told.provider or command.provider, model=told.model,
        rates=rates, allocation_id=command.allocation_id, final=command.final,
        reported=command.reported_cost_nanos, occurred_us=occurred_us,
        metadata=command.metadata, price_context=in_context.price_context,
    )  # fmt: skip
    batch.take_key(command, command.usage_id)
    if command.final:
        batch.settling[command.allocation_id] = row
    return receipt(batch, row, holding)


def _met_beside(batch: Batch, terms: Terms, command: Record) -> list[tuple[str, str]]:
    """The (policy_id, partition) that usage meets by its model, and that nothing was held on.

    A policy that the hold met is not among them, whatever partition the model would have there:
    usage goes to the balances that its hold came from.
    """
    told = dict(sorted({**terms.attributes, **command.attributes}.items()))
    met = batch.catalogue.match(told).pairs
    held_on = {policy_id for policy_id, _ in batch.catalogue.match(terms.attributes).pairs}
    return [pair for pair in met if pair[0] not in held_on]


def _counted_beside(
    batch: Batch, beside: Sequence[Balance], decided: Decided, used: Amounts
) -> Decided:
    """What was decided, and the same usage on limits that its hold did not meet: nobody reserved
    it there.
    """
    for balance in beside:
        if balance.policy.hard:
            batch.alert("unreserved", balance, balance.start_us)
    places = [(balance, facts.Place(balance.start_us)) for balance in beside]
    more = facts.report(used, places, batch.balances)
    postings = [*decided.postings, *more.postings]
    return Decided(postings, decided.states, decided.overran or more.overran)


def _same_as_settled(batch: Batch, holding: Holding, command: Record) -> Row:
    row = batch.settling.get(command.allocation_id)
    booked = None if row is None else Usage._make((*row[11:18], rows.units_from_json(row[28])))
    asked = command.usage
    if command.requests is not None:
        asked = asked._replace(requests=command.requests)
    elif booked is not None:
        asked = asked._replace(requests=booked.requests)
    if row is None or booked != asked or _tells_otherwise(command, row):
        raise Conflict(
            f"The allocation was settled by {holding.state.settled_by} with other usage; "
            "correct that record instead.",
            code="already_settled",
        )
    return row


def _tells_otherwise(command: Record, row: Row) -> bool:
    """Whether usage of the same counts tells another cost or model than was booked."""
    cost = command.reported_cost_nanos
    rates = None if row[20] is None else decode_rates(row[20])
    return (cost is not None and cost != row[19]) or _is_priced_otherwise(command, row[8], rates)


def _is_priced_otherwise(command: Record, model: str | None, rates: Rates | None) -> bool:
    """Whether usage is of another model or price context than the hold: then that price is its.

    A name of the same price, or one that nobody knows, is only another name (a dated id, say).
    """
    new = command.rates
    if command.in_context and new is not None and (rates is None or new.context != rates.context):
        return True
    if command.model is None or command.model == model:
        return False
    if model is None:
        return True
    if new is None:
        return False
    if rates is None or new.model != rates.model:
        return True
    return command.provider is not None and new.provider != rates.provider


def _with_model(terms: Terms, command: Record) -> str:
    """The attributes of usage, as JSON: the allocation's, but the model it was told of now."""
    return rows.to_json(dict(sorted({**terms.attributes, **command.attributes}.items())))


def plan_report(batch: Batch, command: Report) -> None:
    claim(batch, command, command.usage_id)
    if command.chosen:
        batch.needs.usage.add(command.usage_id)


def meet_report(batch: Batch, command: Report) -> None:
    batch.needs.pairs.update(batch.catalogue.match(command.attributes).pairs)


def want_report(batch: Batch, command: Report) -> None:
    """Note the closed windows that late usage belongs to."""
    if command.occurred_us is None:
        return
    for balance in batch.balances_of(batch.catalogue.match(command.attributes)):
        cell_us = _place(batch, balance, command).cell_us
        if cell_us is not None:
            batch.want_window(balance.id, cell_us)


def _place(batch: Batch, balance: Balance, command: Report) -> facts.Place:
    return facts.cell_of(balance, command.occurred_us, batch.now_us, history=command.history)


def run_report(batch: Batch, command: Report) -> Receipt:
    before = recorded_before(batch, command)
    if before is not None:
        return receipt(batch, before, None, replayed=True)
    occurred_us = occurred(command.occurred_us, batch.now_us)
    rates = command.rates or stand_in(batch, command.model, command.attributes)
    cost, flags = cost_of(rates, command.usage, command)
    flags.insert(0, "unreserved")
    match = batch.catalogue.match(command.attributes)
    places = [(balance, _place(batch, balance, command)) for balance in batch.balances_of(match)]
    if any(place.prior_period for _, place in places):
        flags.append("history" if command.history else "prior_period")
    decided = facts.report(amounts_of(command.usage, cost), places, batch.balances)
    if decided.overran:
        flags.append("overrun")
    legs = batch.apply(decided)
    for balance, place in places:
        if balance.policy.hard and not (command.history and place.cell_us is None):
            batch.alert("unreserved", balance, place.cell_us)
    entry_id = batch.enter(
        "reported", command.actor, legs, {"flags": flags}, usage_id=command.usage_id
    )
    row = book(
        batch, command, entry_id, command.usage, cost, flags, usage_id=command.usage_id,
        attributes_json=rows.to_json(command.attributes), provider=command.provider,
        model=command.model, rates=rates, reported=command.reported_cost_nanos,
        occurred_us=occurred_us, metadata=command.metadata, final=True,
        price_context=command.price_context,
    )  # fmt: skip
    batch.take_key(command, command.usage_id)
    return receipt(batch, row, None)

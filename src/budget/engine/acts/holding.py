"""While and until a hold lasts: extending, releasing, expiring."""

import json
from typing import Final

from budget.domain import decide, facts
from budget.domain.allocations import Amounts, Held, Holding
from budget.domain.answers import (
    Allocation,
    Refusal,
)
from budget.domain.decide import Refused
from budget.domain.errors import Conflict, Forbidden, InvalidInput
from budget.domain.pricing import output_hold_nanos, token_hold_nanos
from budget.engine.acts.before import claim, holding_of, parent_of, seen
from budget.engine.acts.placing import Agreed, allocation_answer, check_within_bounds
from budget.engine.acts.refusing import refuse
from budget.engine.batch import FIRST_AMOUNTS, Batch
from budget.engine.commands import Extend, Release, Sweep
from budget.engine.rows import to_json

MAX_CHILDREN: Final = 4000
"""Open children that one command can expire; an envelope with more ends in several sweeps."""

SWEPT_ENTRIES: Final = 3500
"""A sweep stops once it has written so many entries: one more envelope, and the commands of the
batch, must still fit into what one transaction can number."""


def plan_extend(batch: Batch, command: Extend) -> None:
    claim(batch, command, command.allocation_id)
    batch.needs.allocations.add(command.allocation_id)


def run_extend(batch: Batch, command: Extend) -> Allocation | Refusal:
    ref = seen(batch, command)
    if ref is not None:
        return allocation_answer(
            batch, holding_of(batch, command.allocation_id, command.bound), _agreed(ref)
        )
    holding = holding_of(batch, command.allocation_id, command.bound)
    more, more_held = _more(command, holding)
    if holding.is_open:
        _check_more(command, holding, more_held)
    decision = decide.extend(
        holding,
        more,
        more_held,
        batch.balances,
        ttl_us=command.ttl_us,
        now_us=batch.now_us,
        more_output_tokens=command.max_output_tokens,
        parent=parent_of(batch, holding),
    )
    if isinstance(decision, Refused):
        return refuse(batch, command, decision)
    legs = batch.apply(decision, admission=True)
    batch.enter("extended", command.actor, legs, None, allocation_id=command.allocation_id)
    agreed = (*holding.state.held, holding.state.granted_output_tokens)
    batch.take_key(command, f"{command.allocation_id}{FIRST_AMOUNTS}{to_json(agreed)}")
    return allocation_answer(batch, holding)


def _agreed(ref: str) -> Agreed:
    """What an earlier extension answered, out of what its key refers to."""
    usd, tokens, requests, granted = json.loads(ref.partition(FIRST_AMOUNTS)[2])
    return Agreed(Held(usd, tokens, requests), granted)


def _more(command: Extend, holding: Holding) -> tuple[Amounts, Held]:
    """What an extension adds; its money, unless stated, covers its tokens and its requests."""
    rates, requests = holding.terms.rates, command.requests or 0
    if command.max_output_tokens is not None:
        tokens, input_tokens = command.max_output_tokens, holding.terms.input_tokens or 0
        usd = 0 if rates is None else output_hold_nanos(rates, input_tokens, tokens, requests)
        return Amounts(usd, tokens, 0, tokens, requests), Held(usd, tokens, requests)
    tokens_more, beside = command.tokens or 0, holding.state.held.tokens or 0
    usd_more = command.usd_nanos
    if usd_more is None:
        usd_more = 0
        if rates is not None:
            usd_more = token_hold_nanos(rates, tokens_more, requests, beside_tokens=beside)
    return (
        Amounts(usd_more, tokens_more, tokens_more, tokens_more, requests),
        Held(usd_more, tokens_more, requests),
    )


def _check_more(command: Extend, holding: Holding, more: Held) -> None:
    """InvalidInput for more than one hold may be, or for a unit that an envelope does not state.

    An envelope's calls are limited in what it states; a later word on another unit would suddenly
    limit them to that.
    """
    if holding.terms.envelope:
        for unit, had, asked in zip(Held._fields, holding.state.held, more, strict=True):
            if had is None and asked:
                raise InvalidInput(
                    unit, "is not what this envelope is limited in; place one that states it."
                )
    field = "tokens" if command.max_output_tokens is None else "max_output_tokens"
    if command.usd_nanos is not None:
        field = "usd"
    check_within_bounds(more, field)


def plan_release(batch: Batch, command: Release) -> None:
    claim(batch, command, command.allocation_id)
    batch.needs.allocations.add(command.allocation_id)
    batch.needs.ending.add(command.allocation_id)


def run_release(batch: Batch, command: Release) -> Allocation:
    ref = seen(batch, command)
    if ref is not None:
        return allocation_answer(batch, holding_of(batch, ref, command.bound), replayed=True)
    holding = holding_of(batch, command.allocation_id, command.bound)
    status = holding.state.status
    if status == "released":
        return allocation_answer(batch, holding, replayed=True)
    if status == "expired" and not command.manage:
        raise Forbidden(
            "The allocation has expired and its hold is assumed spent; report its usage "
            "(zero, with requests 0, if the call never happened), or release it with a manage key."
        )
    check_children(batch, holding)
    end_children(batch, holding)
    legs = batch.apply(facts.release(holding, batch.balances, parent=parent_of(batch, holding)))
    detail = {"reason": command.reason} if command.reason else None
    batch.enter("released", command.actor, legs, detail, allocation_id=command.allocation_id)
    batch.take_key(command, command.allocation_id)
    return allocation_answer(batch, holding)


def end_children(batch: Batch, parent: Holding) -> bool:
    """Expire an envelope's open children, each with its entry; False if there are too many."""
    children = batch.children.get(parent.terms.allocation_id)
    if not children:
        return True
    children = [child for child in children if child.is_open]
    for child in children[:MAX_CHILDREN]:
        expire(batch, child)
    return len(children) <= MAX_CHILDREN


def check_children(batch: Batch, parent: Holding) -> None:
    children = batch.children.get(parent.terms.allocation_id)
    if children and sum(child.is_open for child in children) > MAX_CHILDREN:
        raise Conflict(
            f"The envelope has over {MAX_CHILDREN} open calls; settle or release them first, "
            "or let it expire.",
            code="too_many_children",
        )


def expire(batch: Batch, holding: Holding) -> None:
    legs = batch.apply(facts.expire(holding, batch.balances, parent=parent_of(batch, holding)))
    batch.enter("expired", "budget", legs, None, allocation_id=holding.terms.allocation_id)


def plan_sweep(batch: Batch, command: Sweep) -> None:
    batch.needs.allocations.update(command.allocation_ids)
    batch.needs.ending.update(command.allocation_ids)


def run_sweep(batch: Batch, command: Sweep) -> int:
    """Expire what is due, as far as it fits into the batch; how many."""
    swept = 0
    for allocation_id in command.allocation_ids:
        if len(batch.changes.entries) >= SWEPT_ENTRIES:
            batch.swept_in_part = True
            break
        holding = batch.holdings.get(allocation_id)
        if holding is None or not holding.is_open or holding.state.expires_us > batch.now_us:
            continue
        if end_children(batch, holding):
            expire(batch, holding)
        else:
            batch.swept_in_part = True
        swept += 1
    return swept

"""Placing: a hold for a call or for an envelope of calls, and `check`, which holds nothing."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from budget.domain import decide
from budget.domain.allocations import Amounts, Held, Holding, Terms, default_size_tokens
from budget.domain.answers import (
    Allocation,
    Check,
    Refusal,
)
from budget.domain.balances import Balance
from budget.domain.decide import Refused
from budget.domain.errors import Conflict, InvalidInput, KeyReused
from budget.domain.money import MAX_HOLD_NANOS, MAX_TOKENS, format_usd
from budget.domain.pricing import Rates, lacks_measure, token_hold_nanos, unpriced_units
from budget.engine import rows
from budget.engine.acts.before import claim, holding_of, seen
from budget.engine.acts.refusing import refuse, refuse_unpriced
from budget.engine.acts.softly import has_ladder, past_action, refuse_at_soft
from budget.engine.batch import Batch
from budget.engine.commands import Place

_new = tuple.__new__  # makes a named tuple at half the price; a ledger makes millions


def plan_place(batch: Batch, command: Place) -> None:
    if not command.dry:
        claim(batch, command, command.allocation_id)
        if command.chosen:
            batch.needs.allocations.add(command.allocation_id)
    if command.parent_id is not None:
        batch.needs.allocations.add(command.parent_id)


def meet_place(batch: Batch, command: Place) -> None:
    match = batch.catalogue.match(_attributes(batch, command))
    batch.needs.pairs.update(match.pairs)


def _attributes(batch: Batch, command: Place) -> Mapping[str, str]:
    """A child's attributes: its envelope's, with its own on top."""
    parent = batch.holdings.get(command.parent_id) if command.parent_id is not None else None
    if parent is None:
        return command.attributes
    return dict(sorted({**parent.terms.attributes, **command.attributes}.items()))


def run_place(batch: Batch, command: Place) -> Allocation | Refusal | Check:
    replayed = None if command.dry else _placed_before(batch, command)
    if replayed is not None:
        terms = replayed.terms
        first = Agreed(terms.first, terms.first_granted_output_tokens)
        return allocation_answer(batch, replayed, first)
    parent = _open_envelope(batch, command) if command.parent_id is not None else None
    attributes = _attributes(batch, command)
    match = batch.catalogue.match(attributes)
    if match.unpriced == "refuse" and _is_unpriced(command):
        return refuse_unpriced(batch, command, match)
    rates = command.rates
    if rates is None and command.model is not None:
        rates = match.unpriced if isinstance(match.unpriced, Rates) else None
    balances = batch.balances_of(match)
    if command.budget_id is not None:
        _check_counted(command.budget_id, balances)
    wanted, held, granted = _wanted(command, attributes, rates, balances, parent, batch.balances)
    check_within_bounds(held, "tokens" if command.input_tokens is None else "max_output_tokens")
    if command.envelope:
        balances = [
            balance
            for balance in balances
            if balance.policy.holds_envelopes
            and (balance.policy.hard or wanted[balance.policy.unit_index] is not None)
        ]
    decision = decide.place(
        wanted,
        held,
        balances,
        priority=command.priority,
        ttl_us=command.ttl_us,
        now_us=batch.now_us,
        granted_output_tokens=granted,
        parent=parent,
        by_head=batch.balances,
    )
    pressed = [] if command.way is None else past_action(balances, match, command.way)
    if pressed and not has_ladder(decision, match):
        return refuse_at_soft(batch, command, pressed, asked=held, wanted=wanted)
    if isinstance(decision, Refused):
        return refuse(batch, command, decision, asked=held, laddered=match.laddered)
    state, postings, parent_state = decision
    basis = None if rates is None else rates.basis
    if command.dry:
        views = tuple(batch.view(balance) for balance in balances)
        return Check(held, granted, basis, views)
    terms = _new(
        Terms,
        (
            command.allocation_id, command.actor, batch.now_us, attributes, command.provider,
            command.model, command.priority, command.envelope, command.parent_id, rates,
            held, granted, command.input_tokens, command.request_hash, command.metadata,
            rows.to_json(attributes), command.bound_tokens, command.bound_family,
            command.price_context,
        ),
    )  # fmt: skip
    holding = Holding(terms, state, new=True)
    states = [] if parent is None or parent_state is None else [(parent, parent_state)]
    legs = batch.apply(decide.Decided(postings, states), admission=True)
    batch.add_holding(holding)
    batch.enter("placed", command.actor, legs, None, allocation_id=command.allocation_id)
    _tell_degraded(batch, command)
    batch.take_key(command, command.allocation_id)
    return allocation_answer(batch, holding)


def _check_counted(budget_id: str, balances: Sequence[Balance]) -> None:
    """InvalidInput if no limit of the budget that a call names counts it."""
    if all(balance.policy.budget_id != budget_id for balance in balances):
        raise InvalidInput(
            "budget_id", "names no budget that counts such a call; leave it out, or give the "
            "attributes that its scope asks for.",
        )  # fmt: skip


def _is_unpriced(command: Place) -> bool:
    """Whether the price of the model, or of something that it is asked for, is not known."""
    if command.rates is None:
        return command.model is not None
    return bool(unpriced_units(command.rates, command.units))


def _tell_degraded(batch: Batch, command: Place) -> None:
    """Enter that the call goes otherwise than it was asked for, if it does."""
    way = command.way
    if way is not None and way.degraded is not None:
        batch.enter(
            "degraded", command.actor, [], dict(way.degraded),
            allocation_id=command.allocation_id, budget_id=way.budget_id,
        )  # fmt: skip


def check_within_bounds(held: Held, field: str) -> None:
    """InvalidInput when a hold is larger than any may be; `field` is what made it so."""
    if held.tokens is not None and held.tokens > MAX_TOKENS:
        raise InvalidInput(
            field, f"would make a hold of {held.tokens} tokens; one is at most {MAX_TOKENS}."
        )
    if held.usd is not None and held.usd > MAX_HOLD_NANOS:
        raise InvalidInput(
            field,
            f"would make a hold of {format_usd(held.usd)} USD; one is at most "
            f"{format_usd(MAX_HOLD_NANOS)} USD.",
        )


def _placed_before(batch: Batch, command: Place) -> Holding | None:
    ref = seen(batch, command)
    if ref is not None:
        return holding_of(batch, ref, command.bound)
    holding = batch.holdings.get(command.allocation_id) if command.chosen else None
    if holding is None:
        return None
    if holding.terms.actor != command.actor:
        raise Conflict("This allocation_id is taken; choose another.", code="id_taken")
    if holding.terms.request_hash != command.request_hash:
        raise KeyReused("This allocation_id was used before with another payload; choose another.")
    return holding


def _open_envelope(batch: Batch, command: Place) -> Holding:
    assert command.parent_id is not None
    parent = holding_of(batch, command.parent_id, command.bound)
    if not parent.terms.envelope:
        raise InvalidInput("parent_id", "is not an envelope; place it with envelope: true.")
    if not parent.is_open:
        raise Conflict(
            f"The envelope is {parent.state.status}; place a new one.", code="parent_not_open"
        )
    return parent


def _wanted(
    command: Place,
    attributes: Mapping[str, str],
    rates: Rates | None,
    balances: list[Balance],
    parent: Holding | None,
    by_head: decide.Balances,
) -> tuple[Amounts, Held, int | None]:
    """The amounts a hold asks for in every unit, and the output tokens granted with it.

    Money is 0 where a model without a price is allowed, and unstated where no model is named,
    requests alone say nothing of its tokens, or it is not sold by tokens.
    """
    if command.input_tokens is not None:
        usd_unknown = _usd_unknown(command, rates)
        requests = 1 if command.requests is None else command.requests
        output_tokens = command.max_output_tokens
        if output_tokens is None:
            output_tokens = default_size_tokens(attributes.get("task_type"), command.priority)
        if command.fit:
            fitting = decide.fit_output_tokens(
                rates, command.input_tokens, output_tokens, requests, balances,
                priority=command.priority, units=command.units, parent=parent, by_head=by_head,
            )  # fmt: skip
            output_tokens = max(fitting, min(command.min_output_tokens, output_tokens))
        wanted, held = decide.estimate(
            rates, command.input_tokens, output_tokens, requests, command.units
        )
        if rates is None or lacks_measure(rates, command.units):
            wanted = wanted._replace(usd=usd_unknown)
            held = held._replace(usd=usd_unknown)
        return wanted, held, output_tokens
    tokens = command.tokens
    if tokens is None and command.usd_nanos is None and command.requests is None:
        tokens = default_size_tokens(attributes.get("task_type"), command.priority)
        learnt = command.learnt_tokens
        if learnt is not None and (
            learnt <= tokens or _has_room(_stated(command, rates, learnt)[0], balances, command)
        ):
            tokens = learnt
    return *_stated(command, rates, tokens), None


def _has_room(wanted: Amounts, balances: list[Balance], command: Place) -> bool:
    """Whether every hard limit admits an amount."""
    return all(
        (wanted[balance.policy.unit_index] or 0) <= balance.room(command.priority)
        for balance in balances
        if balance.policy.hard
    )


def _stated(command: Place, rates: Rates | None, tokens: int | None) -> tuple[Amounts, Held]:
    """The amounts of a hold that states them, of so many tokens."""
    requests_stated = command.requests
    if requests_stated is None and not command.envelope:
        requests_stated = 1
    usd = command.usd_nanos
    if usd is None and tokens is not None and rates is not None and not lacks_measure(rates, ()):
        usd = token_hold_nanos(rates, tokens, requests_stated or 0)
    elif usd is None:
        usd = _usd_unknown(command, rates)
    return (
        Amounts(usd, tokens, tokens, tokens, requests_stated),
        Held(usd, tokens, requests_stated),
    )


def _usd_unknown(command: Place, rates: Rates | None) -> int | None:
    """0 where a model without a price is allowed; None where no model is named."""
    return 0 if command.model is not None and rates is None else None


class Agreed(NamedTuple):
    """What a command answered that an allocation holds, and the output tokens granted."""

    held: Held
    granted_output_tokens: int | None


def allocation_answer(
    batch: Batch, holding: Holding, first: Agreed | None = None, *, replayed: bool = False
) -> Allocation:
    """An allocation as its caller sees it; replayed, as it was agreed at `first`."""
    terms, state = holding.terms, holding.state
    agreed = first or Agreed(state.held, state.granted_output_tokens)
    return _new(
        Allocation,
        (
            terms.allocation_id, state.status, agreed.held, state.left,
            agreed.granted_output_tokens, terms.placed_us, state.expires_us,
            None if terms.rates is None else terms.rates.basis, batch.views(holding),
            terms.attributes, terms.provider, terms.model, terms.priority, terms.envelope,
            terms.parent_id, terms.metadata, replayed or first is not None, (), (),
        ),
    )  # fmt: skip

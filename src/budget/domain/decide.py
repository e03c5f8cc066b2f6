"""Deciding: the only place where a call is admitted or refused.

Pure functions over integers: (what is asked, the balances it meets, now) -> postings and new
states, or shortfalls. No clock, no I/O, no change to anything passed in. The caller has opened
every balance at now. Not here: booking what has happened (`facts`), which policies match
(`engine.catalogue`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from budget.domain.allocations import Amounts, Held, Holding, Leg, State
from budget.domain.balances import Balance, Posting
from budget.domain.errors import Conflict, InvalidInput
from budget.domain.pricing import Rates, hold_nanos, output_tokens_affordable
from budget.domain.usage import Units

Balances = Mapping[int, Balance]

_new = tuple.__new__  # makes a named tuple at half the price; a ledger makes millions


class Shortfall(NamedTuple):
    """One hard limit that has no room: its figures, in the policy's unit, when it refused."""

    balance: Balance
    limit: int
    spent: int
    reserved: int
    assumed: int
    requested: int
    short: int
    resets_us: int | None


class Refused(NamedTuple):
    """The decision not to admit: every limit that refuses, or the envelope that is empty."""

    shortfalls: tuple[Shortfall, ...] = ()
    envelope: "EnvelopeShort | None" = None


class EnvelopeShort(NamedTuple):
    """What an envelope lacks, in one unit."""

    parent_id: str
    unit: str
    limit: int
    left: int
    requested: int


class Decided(NamedTuple):
    """The decision to act: postings in order, and the new state of each allocation touched."""

    postings: list[Posting]
    states: list[tuple[Holding, State]]
    overran: bool = False
    """Whether an excess went beyond a hard limit."""


# --- Placing -------------------------------------------------------------------------------------


def place(
    wanted: Amounts,
    held: Held,
    balances: Sequence[Balance],
    *,
    priority: int,
    ttl_us: int,
    now_us: int,
    granted_output_tokens: int | None = None,
    parent: Holding | None = None,
    by_head: Balances | None = None,
) -> tuple[State, list[Posting], State | None] | Refused:
    """Hold `wanted` on every balance, or on none.

    Returns the new allocation's state, the postings, and the parent's new state if there is one.
    With a parent, its legs are drawn on first (`by_head` finds their balances) and only the other
    balances are asked for room. Raises InvalidInput `amount_required` when a hard limit's unit is
    not stated.
    """
    legs: list[Leg] = []
    postings: list[Posting] = []
    expires_us = now_us + ttl_us
    parent_state = None
    drawn: frozenset[int] = frozenset()
    if parent is not None:
        short = _envelope_short(parent, held)
        if short is not None:
            return Refused(envelope=short)
        assert by_head is not None, "a child needs the balances of its parent's legs"
        renewed_us = max(parent.state.expires_us, now_us + parent.state.ttl_us)
        expires_us = min(expires_us, renewed_us)
        given = _take_from_parent(parent, wanted, by_head)
        if isinstance(given, EnvelopeShort):
            return Refused(envelope=given)
        taken, parent_legs = given
        legs.extend(taken)
        drawn = frozenset(leg.head_id for leg in parent_legs)
        parent_state = parent.state._replace(
            expires_us=renewed_us, legs=parent_legs, left=parent.state.left.less(held)
        )
    shortfalls: list[Shortfall] = []
    for balance in balances:
        head_id = balance.id
        if head_id in drawn:
            continue
        policy = balance.policy
        amount = wanted[policy.unit_index]
        if amount is None:
            if policy.hard:
                raise _amount_required(balance)
            amount = 0
        if amount and policy.hard and amount > balance.room(priority):
            shortfalls.append(_shortfall(balance, amount, priority))
            continue
        cell_us = balance.start_us
        legs.append(_new(Leg, (head_id, cell_us, amount, amount, 0)))
        postings.append(_new(Posting, (head_id, cell_us, 0, amount, 0, 0)))
    if shortfalls:
        return Refused(shortfalls=tuple(shortfalls))
    state = _new(
        State,
        ("open", expires_us, ttl_us, tuple(legs), held, held, granted_output_tokens, 0, None),
    )
    return state, postings, parent_state


def fit_output_tokens(
    rates: Rates | None,
    input_tokens: int,
    wanted_output_tokens: int,
    requests: int,
    balances: Iterable[Balance],
    *,
    priority: int,
    units: Units = (),
    parent: Holding | None = None,
    by_head: Balances | None = None,
) -> int:
    """The most output tokens, up to those wanted, whose full estimate every hard limit admits.

    Negative when not even an empty answer fits. `rates` is None when usd amounts are not held.
    """
    grant = wanted_output_tokens

    def fits(unit: str, room: int) -> int:
        room = max(0, room)  # what costs nothing fits beyond the limit too
        if unit == "usd":
            if rates is None:
                return grant
            return output_tokens_affordable(rates, input_tokens, room, requests, units)
        if unit == "tokens":
            return room - input_tokens
        if unit == "output_tokens":
            return room
        needed = input_tokens if unit == "input_tokens" else requests
        return grant if not needed or needed <= room else -1

    drawn: frozenset[int] = frozenset()
    if parent is not None:
        drawn = frozenset(leg.head_id for leg in parent.state.legs)
        for unit, room in zip(("usd", "tokens", "requests"), parent.state.left, strict=True):
            if room is not None:
                grant = min(grant, fits(unit, room))
        assert by_head is not None, "a child needs the balances of its parent's legs"
        for head_id in drawn:
            policy = by_head[head_id].policy
            if policy.hard:
                left = sum(leg.left for leg in parent.state.legs if leg.head_id == head_id)
                grant = min(grant, fits(policy.unit, left))
    for balance in balances:
        if balance.policy.hard and balance.id not in drawn:
            grant = min(grant, fits(balance.policy.unit, balance.room(priority)))
    return grant


def estimate(
    rates: Rates | None,
    input_tokens: int,
    output_tokens: int,
    requests: int,
    units: Units = (),
) -> tuple[Amounts, Held]:
    """What a call of that size holds; an unpriced one holds no money."""
    usd = 0 if rates is None else hold_nanos(rates, input_tokens, output_tokens, requests, units)
    tokens = input_tokens + output_tokens
    return (
        _new(Amounts, (usd, tokens, input_tokens, output_tokens, requests)),
        _new(Held, (usd, tokens, requests)),
    )


def _envelope_short(parent: Holding, held: Held) -> EnvelopeShort | None:
    for unit, limit, left, asked in zip(
        ("usd", "tokens", "requests"), parent.state.held, parent.state.left, held, strict=True
    ):
        if limit is None or left is None:
            continue
        if asked is None:
            raise InvalidInput(
                unit, "must be stated: the envelope is limited in it.", code="amount_required"
            )
        if asked > left:
            return EnvelopeShort(parent.terms.allocation_id, unit, limit, left, asked)
    return None


def _take_from_parent(
    parent: Holding, wanted: Amounts, by_head: Balances
) -> tuple[list[Leg], tuple[Leg, ...]] | EnvelopeShort:
    """A child's legs out of its parent's, oldest first, and what the parent's are then.

    Short where a hard limit would get less than the amount: an envelope's input and output tokens
    may run out one by one, while it has tokens left.
    """
    policies = {leg.head_id: by_head[leg.head_id].policy for leg in parent.state.legs}
    due = {head_id: wanted[policy.unit_index] or 0 for head_id, policy in policies.items()}
    newest = {leg.head_id: leg.cell_us for leg in parent.state.legs}
    taken: list[Leg] = []
    rest: list[Leg] = []
    for leg in parent.state.legs:
        take = min(leg.left, due[leg.head_id])
        due[leg.head_id] -= take
        if take or leg.cell_us == newest[leg.head_id]:
            taken.append(Leg(leg.head_id, leg.cell_us, take, take, 1))
        rest.append(leg._replace(left=leg.left - take))
    for head_id, missing in due.items():
        policy = policies[head_id]
        if missing and policy.hard:
            amount = wanted[policy.unit_index] or 0
            held = sum(leg.held for leg in parent.state.legs if leg.head_id == head_id)
            parent_id = parent.terms.allocation_id
            return EnvelopeShort(parent_id, policy.unit, held, amount - missing, amount)
    return taken, tuple(rest)


def _shortfall(balance: Balance, amount: int, priority: int) -> Shortfall:
    room = max(0, balance.room(priority))
    return Shortfall(
        balance=balance,
        limit=balance.limit,
        spent=balance.spent,
        reserved=balance.reserved,
        assumed=balance.assumed,
        requested=amount,
        short=amount - room,
        resets_us=balance.fits_at_us(amount, priority),
    )


def _amount_required(balance: Balance) -> InvalidInput:
    unit = balance.policy.unit
    return InvalidInput(
        unit,
        f"must be stated: policy {balance.policy.policy_id} is a hard limit in it "
        "(state the amount, or a model and its tokens, or the units that it is sold by).",
        code="amount_required",
    )


# --- Extending -----------------------------------------------------------------------------------


def extend(
    holding: Holding,
    more: Amounts,
    more_held: Held,
    balances: Balances,
    *,
    ttl_us: int | None,
    now_us: int,
    more_output_tokens: int | None = None,
    parent: Holding | None = None,
) -> Decided | Refused:
    """More time, or more money on the balances already held, in the window or bucket of now.

    A refused extension changes nothing, the expiry included; one of an ended allocation is a
    Conflict.
    """
    state = holding.state
    if state.status != "open":
        raise Conflict(
            f"The allocation is {state.status}; only an open one can be extended. Place a new one.",
            code="not_open",
        )
    postings: list[Posting] = []
    states: list[tuple[Holding, State]] = []
    legs = list(state.legs)
    if parent is not None and parent.is_open:
        short = _envelope_short(parent, more_held) if any(more_held) else None
        if short is not None:
            return Refused(envelope=short)
        given = _take_from_parent(parent, more if any(more_held) else _NO_AMOUNTS, balances)
        if isinstance(given, EnvelopeShort):
            return Refused(envelope=given)
        taken, parent_legs = given
        for leg in taken:
            if leg.held:
                _add_leg(legs, leg)
        parent_state = parent.state._replace(
            legs=parent_legs, left=parent.state.left.less(more_held)
        )
        states.append((parent, renewed(parent_state, now_us)))
    shortfalls: list[Shortfall] = []
    own = dict.fromkeys(leg.head_id for leg in state.legs if not leg.from_parent)
    for head_id in own:
        balance = balances[head_id]
        amount = more[balance.policy.unit_index] or 0
        if not amount:
            continue
        if balance.policy.hard and amount > balance.room(holding.terms.priority):
            shortfalls.append(_shortfall(balance, amount, holding.terms.priority))
            continue
        _add_leg(legs, Leg(head_id, balance.start_us, amount, amount))
        postings.append(Posting(head_id, balance.start_us, 0, amount, 0))
    if shortfalls:
        return Refused(shortfalls=tuple(shortfalls))
    granted = state.granted_output_tokens
    if more_output_tokens is not None:
        granted = (granted or 0) + more_output_tokens
    new = state._replace(
        legs=tuple(legs),
        ttl_us=state.ttl_us if ttl_us is None else ttl_us,
        held=state.held.grown(more_held),
        left=state.left.grown(more_held),
        granted_output_tokens=granted,
    )
    cap_us = states[0][1].expires_us if states else None
    states.append((holding, renewed(new, now_us, cap_us)))
    return Decided(postings, states)


_NO_AMOUNTS = Amounts(None, None, None, None, None)


def _add_leg(legs: list[Leg], leg: Leg) -> None:
    """Grow the leg on the same cell of the same balance, or append a further one."""
    for at in range(len(legs) - 1, -1, -1):
        if legs[at].head_id == leg.head_id and legs[at].cell_us == leg.cell_us:
            legs[at] = legs[at]._replace(
                held=legs[at].held + leg.held, left=legs[at].left + leg.left
            )
            return
    legs.append(leg)


def renewed(state: State, now_us: int, cap_us: int | None = None) -> State:
    """The state with its expiry moved on, capped at the parent's."""
    expires_us = max(state.expires_us, now_us + state.ttl_us)
    if cap_us is not None:
        expires_us = min(expires_us, cap_us)
    return state._replace(expires_us=expires_us)

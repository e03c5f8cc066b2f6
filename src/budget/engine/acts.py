"""Acts: what each command needs loaded, and how it is carried out on a batch's working set.

For each command three functions, by its class in the tables at the end: `plan` names keys and
allocations before anything is read, `meet` names the balances once allocations are known, `run`
decides and applies. `run` raises a BudgetError before it changes anything, or returns the answer.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from budget.domain import decide, facts
from budget.domain.allocations import (
    Amounts,
    Held,
    Holding,
    Terms,
    default_size_tokens,
)
from budget.domain.answers import (
    Allocation,
    BalanceView,
    Check,
    Correction,
    Receipt,
    Refusal,
    RefusalLine,
)
from budget.domain.balances import Balance
from budget.domain.decide import Refused, Shortfall
from budget.domain.errors import Conflict, Forbidden, InvalidInput, KeyReused, NotFound
from budget.domain.money import format_usd
from budget.domain.pricing import Rates, cost_nanos, decode_rates, encode_rates, token_hold_nanos
from budget.domain.usage import Usage, negated
from budget.engine import rows
from budget.engine.batch import Batch, SetAside
from budget.engine.catalogue import Match
from budget.engine.commands import Command, Correct, Extend, Place, Record, Release, Report, Sweep
from budget.storage.unit import Row

MAX_CHILDREN: Final = 4000
"""Open children that one command can expire; an envelope with more ends in several sweeps."""

REPORTED_DIFFERS_BY: Final = 20
"""A reported cost that differs from ours by more than 1/20 (5%) raises an alert."""


# --- What came before ----------------------------------------------------------------------------


def _claim(batch: Batch, command: Command, ref: str) -> None:
    if command.key is not None:
        batch.needs.keys.append(
            (command.actor, command.act, command.key, command.request_hash, ref, batch.now_us)
        )


def _seen(batch: Batch, command: Command) -> str | None:
    """What an earlier command under the same key made; KeyReused if its payload was another."""
    if command.key is None:
        return None
    found = batch.keys.get((command.actor, command.act, command.key))
    if found is None:
        return None
    request_hash, ref = found
    if request_hash != command.request_hash:
        raise KeyReused("This idempotency key was used before with another payload; use a new key.")
    return ref


def _holding(batch: Batch, allocation_id: str) -> Holding:
    holding = batch.holdings.get(allocation_id)
    if holding is None:
        raise NotFound("allocation", allocation_id)
    return holding


def _parent(batch: Batch, holding: Holding) -> Holding | None:
    parent_id = holding.terms.parent_id
    return None if parent_id is None else batch.holdings[parent_id]


# --- Placing -------------------------------------------------------------------------------------


def plan_place(batch: Batch, command: Place) -> None:
    if not command.dry:
        _claim(batch, command, command.allocation_id)
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
        return allocation_answer(batch, replayed, replayed=True)
    parent = _open_envelope(batch, command) if command.parent_id is not None else None
    attributes = _attributes(batch, command)
    match = batch.catalogue.match(attributes)
    rates = command.rates
    if rates is None and command.model is not None:
        if match.unpriced == "refuse":
            return _refuse_unpriced(batch, command, match)
        rates = match.unpriced if isinstance(match.unpriced, Rates) else None
    balances = batch.balances_of(match)
    wanted, held, granted = _wanted(command, rates, balances, parent)
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
    if isinstance(decision, Refused):
        return refuse(batch, command, decision)
    state, postings, parent_state = decision
    basis = None if rates is None else rates.basis
    if command.dry:
        views = tuple(batch.view(balance) for balance in balances)
        return Check(held, granted, basis, views)
    terms = Terms(
        allocation_id=command.allocation_id,
        actor=command.actor,
        placed_us=batch.now_us,
        attributes=attributes,
        provider=command.provider,
        model=command.model,
        priority=command.priority,
        envelope=command.envelope,
        parent_id=command.parent_id,
        rates=rates,
        first=held,
        first_granted_output_tokens=granted,
        input_tokens=command.input_tokens,
        request_hash=command.request_hash,
        metadata=command.metadata,
        attributes_json=rows.to_json(attributes),
    )
    holding = Holding(terms, state, new=True)
    states = [] if parent is None or parent_state is None else [(parent, parent_state)]
    legs = batch.apply(decide.Decided(postings, states), admission=True)
    batch.add_holding(holding)
    batch.enter("placed", command.actor, legs, None, allocation_id=command.allocation_id)
    batch.take_key(command, command.allocation_id)
    return allocation_answer(batch, holding)


def _placed_before(batch: Batch, command: Place) -> Holding | None:
    ref = _seen(batch, command)
    if ref is not None:
        return _holding(batch, ref)
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
    parent = _holding(batch, command.parent_id)
    if not parent.terms.envelope:
        raise InvalidInput("parent_id", "is not an envelope; place it with envelope: true.")
    if not parent.is_open:
        raise Conflict(
            f"The envelope is {parent.state.status}; place a new one.", code="parent_not_open"
        )
    return parent


def _wanted(
    command: Place, rates: Rates | None, balances: list[Balance], parent: Holding | None
) -> tuple[Amounts, Held, int | None]:
    """The amounts a hold asks for in every unit, and the output tokens granted with it.

    Money is 0 where a model without a price is allowed, and unstated where no model is named.
    """
    usd_unknown = None if command.model is None else 0
    if command.input_tokens is not None:
        requests = 1 if command.requests is None else command.requests
        output_tokens = command.max_output_tokens
        if output_tokens is None:
            output_tokens = default_size_tokens(
                command.attributes.get("task_type"), command.priority
            )
        if command.fit:
            fitting = decide.fit_output_tokens(
                rates, command.input_tokens, output_tokens, requests, balances,
                priority=command.priority, parent=parent,
            )  # fmt: skip
            output_tokens = max(fitting, min(command.min_output_tokens, output_tokens))
        wanted, held = decide.estimate(rates, command.input_tokens, output_tokens, requests)
        if rates is None:
            wanted = wanted._replace(usd=usd_unknown)
            held = held._replace(usd=usd_unknown)
        return wanted, held, output_tokens
    tokens = command.tokens
    if tokens is None and command.usd_nanos is None and command.requests is None:
        tokens = default_size_tokens(command.attributes.get("task_type"), command.priority)
    requests_stated = command.requests
    if requests_stated is None and not command.envelope:
        requests_stated = 1
    usd = command.usd_nanos
    if usd is None and tokens is not None and rates is not None:
        usd = token_hold_nanos(rates, tokens, requests_stated or 0)
    elif usd is None:
        usd = usd_unknown
    return (
        Amounts(usd, tokens, tokens, tokens, requests_stated),
        Held(usd, tokens, requests_stated),
        None,
    )


# --- Refusing ------------------------------------------------------------------------------------


def refuse(batch: Batch, command: Command, refused: Refused) -> Refusal:
    """The answer to a refusal; SetAside once, if holds are due that may make room."""
    dry = isinstance(command, Place) and command.dry
    if not dry:
        batch.set_aside_if_due()
    if refused.envelope is not None:
        short = refused.envelope
        amount = _amount_text(short.requested, short.unit)
        return Refusal(
            code="envelope_exhausted",
            detail=f"Envelope {short.parent_id} has {_amount_text(short.left, short.unit)} left; "
            f"this call needs {amount}. Extend the envelope, or ask for less.",
            at_us=batch.now_us,
            parent_id=short.parent_id,
            unit=short.unit,
            limit=short.limit,
            requested=short.requested,
            shortfall=short.requested - short.left,
        )
    lines = sorted(
        (
            RefusalLine(batch.view(s.balance), s.requested, s.short, s.resets_us)
            for s in refused.shortfalls
        ),
        key=lambda line: (line.resets_us is not None, -(line.resets_us or 0)),
    )
    if not dry:
        for short_of in refused.shortfalls:
            _count_refusal(batch, command, short_of)
    return Refusal(
        code="over_limit",
        detail=_over_limit_text(lines[0]),
        at_us=batch.now_us,
        lines=tuple(lines),
        provider=getattr(command, "provider", None),
        model=getattr(command, "model", None),
    )


def _over_limit_text(line: RefusalLine) -> str:
    view = line.balance
    unit = view.policy.unit
    text = (
        f"Budget {view.budget!r} has {_amount_text(view.remaining, unit)} of its "
        f"{view.policy.calendar.period.text} {_amount_text(view.limit, unit)} left; "
        f"this call needs {_amount_text(line.requested, unit)}"
    )
    return f"{text} (short by {_amount_text(line.shortfall, unit)})."


def _amount_text(amount: int, unit: str) -> str:
    return f"{format_usd(amount)} USD" if unit == "usd" else f"{amount} {unit}"


def _refuse_unpriced(batch: Batch, command: Place, match: Match) -> Refusal:
    strict = [budget for budget in match.budgets if budget.unpriced_rule == "refuse"]
    views = [
        batch.view(balance)
        for balance in batch.balances_of(match)
        if balance.policy.budget_id == strict[0].budget_id and balance.policy.unit == "usd"
    ]
    return Refusal(
        code="model_unpriced",
        detail=f"The price of model {command.model!r} is not known, and budget "
        f"{strict[0].name!r} refuses unpriced models. Name a priced model, or set the budget's "
        '"unpriced" to "allow" or to {input, output} prices.',
        at_us=batch.now_us,
        lines=tuple(RefusalLine(view, 0, 0, None) for view in views),
        provider=command.provider,
        model=command.model,
    )


def _count_refusal(batch: Batch, command: Command, short: Shortfall) -> None:
    attributes = getattr(command, "attributes", None)
    detail = {
        "partition": short.balance.partition, "unit": short.balance.policy.unit,
        "limit": short.limit, "spent": short.spent, "reserved": short.reserved,
        "assumed": short.assumed, "requested": short.requested, "shortfall": short.short,
        "attributes": attributes, "act": command.act,
    }  # fmt: skip
    batch.refused.append((short.balance, command.actor, detail))


# --- Answers -------------------------------------------------------------------------------------


def allocation_answer(batch: Batch, holding: Holding, *, replayed: bool = False) -> Allocation:
    """An allocation as its caller sees it."""
    terms, state = holding.terms, holding.state
    return Allocation(
        terms.allocation_id,
        state.status,
        terms.first if replayed else state.held,
        state.left,
        terms.first_granted_output_tokens if replayed else state.granted_output_tokens,
        terms.placed_us,
        state.expires_us,
        None if terms.rates is None else terms.rates.basis,
        batch.views(holding),
        terms.attributes,
        terms.provider,
        terms.model,
        terms.priority,
        terms.envelope,
        terms.parent_id,
        terms.metadata,
        replayed,
    )


# --- Extending and releasing ---------------------------------------------------------------------


def plan_extend(batch: Batch, command: Extend) -> None:
    _claim(batch, command, command.allocation_id)
    batch.needs.allocations.add(command.allocation_id)


def run_extend(batch: Batch, command: Extend) -> Allocation | Refusal:
    ref = _seen(batch, command)
    if ref is not None:
        return allocation_answer(batch, _holding(batch, ref), replayed=True)
    holding = _holding(batch, command.allocation_id)
    rates = holding.terms.rates
    more, more_held = _more(command, rates)
    decision = decide.extend(
        holding,
        more,
        more_held,
        batch.balances,
        ttl_us=command.ttl_us,
        now_us=batch.now_us,
        more_output_tokens=command.max_output_tokens,
        parent=_parent(batch, holding),
    )
    if isinstance(decision, Refused):
        return refuse(batch, command, decision)
    legs = batch.apply(decision, admission=True)
    batch.enter("extended", command.actor, legs, None, allocation_id=command.allocation_id)
    batch.take_key(command, command.allocation_id)
    return allocation_answer(batch, holding)


def _more(command: Extend, rates: Rates | None) -> tuple[Amounts, Held]:
    if command.max_output_tokens is not None:
        tokens = command.max_output_tokens
        usd = 0 if rates is None else decide.estimate(rates, 0, tokens, 0)[1].usd
        return Amounts(usd, tokens, 0, tokens, 0), Held(usd, tokens, 0)
    tokens_more = command.tokens or 0
    usd_more = command.usd_nanos
    if usd_more is None:
        usd_more = 0 if rates is None else token_hold_nanos(rates, tokens_more, 0)
    requests = command.requests or 0
    return (
        Amounts(usd_more, tokens_more, tokens_more, tokens_more, requests),
        Held(usd_more, tokens_more, requests),
    )


def plan_release(batch: Batch, command: Release) -> None:
    _claim(batch, command, command.allocation_id)
    batch.needs.allocations.add(command.allocation_id)
    batch.needs.ending.add(command.allocation_id)


def run_release(batch: Batch, command: Release) -> Allocation:
    ref = _seen(batch, command)
    if ref is not None:
        return allocation_answer(batch, _holding(batch, ref), replayed=True)
    holding = _holding(batch, command.allocation_id)
    status = holding.state.status
    if status == "released":
        return allocation_answer(batch, holding, replayed=True)
    if status == "expired" and not command.manage:
        raise Forbidden(
            "The allocation has expired and its hold is assumed spent; report its usage "
            "(zero, with requests 0, if the call never happened), or release it with a manage key."
        )
    _check_children(batch, holding)
    end_children(batch, holding)
    legs = batch.apply(facts.release(holding, batch.balances, parent=_parent(batch, holding)))
    detail = {"reason": command.reason} if command.reason else None
    batch.enter("released", command.actor, legs, detail, allocation_id=command.allocation_id)
    batch.take_key(command, command.allocation_id)
    return allocation_answer(batch, holding)


def end_children(batch: Batch, parent: Holding) -> bool:
    """Expire an envelope's open children, each with its entry; False if there are too many."""
    children = [
        child for child in batch.children.get(parent.terms.allocation_id, ()) if child.is_open
    ]
    for child in children[:MAX_CHILDREN]:
        _expire(batch, child)
    return len(children) <= MAX_CHILDREN


def _check_children(batch: Batch, parent: Holding) -> None:
    children = batch.children.get(parent.terms.allocation_id, ())
    if sum(child.is_open for child in children) > MAX_CHILDREN:
        raise Conflict(
            f"The envelope has over {MAX_CHILDREN} open calls; settle or release them first, "
            "or let it expire.",
            code="too_many_children",
        )


def _expire(batch: Batch, holding: Holding) -> None:
    legs = batch.apply(facts.expire(holding, batch.balances, parent=_parent(batch, holding)))
    batch.enter("expired", "budget", legs, None, allocation_id=holding.terms.allocation_id)


def plan_sweep(batch: Batch, command: Sweep) -> None:
    batch.needs.allocations.update(command.allocation_ids)
    batch.needs.ending.update(command.allocation_ids)


def run_sweep(batch: Batch, command: Sweep) -> int:
    """Expire what is due; how many."""
    swept = 0
    for allocation_id in command.allocation_ids:
        holding = batch.holdings.get(allocation_id)
        if holding is None or not holding.is_open or holding.state.expires_us > batch.now_us:
            continue
        if end_children(batch, holding):
            _expire(batch, holding)
        swept += 1
    return swept


# --- Recording -----------------------------------------------------------------------------------


def plan_record(batch: Batch, command: Record) -> None:
    _claim(batch, command, command.usage_id)
    batch.needs.allocations.add(command.allocation_id)
    batch.needs.settling.add(command.allocation_id)
    if command.chosen:
        batch.needs.usage.add(command.usage_id)
    if command.final:
        batch.needs.ending.add(command.allocation_id)


def run_record(batch: Batch, command: Record) -> Receipt:
    holding = _holding(batch, command.allocation_id)
    before = _recorded_before(batch, command)
    if before is None and holding.state.status == "settled":
        before = _same_as_settled(batch, holding, command)
    if before is not None:
        return _receipt(batch, before, holding, replayed=True)
    check_not_ahead(command.occurred_us, batch.now_us)
    if command.final:
        _check_children(batch, holding)
        end_children(batch, holding)
    terms = holding.terms
    provider, model = terms.provider or command.provider, terms.model or command.model
    rates = terms.rates
    if rates is None and terms.model is None:
        rates = command.rates or _stand_in(batch, command.model, terms.attributes)
    requests = command.requests
    if requests is None:
        requests = 1 if holding.state.records == 0 else 0
    usage = command.usage._replace(requests=requests)
    cost, flags = _cost(rates, usage, command)
    if holding.state.status in ("expired", "released"):
        flags.insert(0, "late")
    decided = facts.record(
        holding,
        _amounts(usage, cost),
        batch.balances,
        usage_id=command.usage_id,
        final=command.final,
        now_us=batch.now_us,
        parent=_parent(batch, holding),
    )
    if decided.overran:
        flags.append("overrun")
    legs = batch.apply(decided)
    kind = "settled" if command.final else "recorded"
    entry_id = batch.enter(
        kind, command.actor, legs, {"flags": flags} if flags else None,
        allocation_id=command.allocation_id, usage_id=command.usage_id,
    )  # fmt: skip
    row = _book(
        batch, command, entry_id, usage, cost, flags, usage_id=command.usage_id,
        attributes_json=_with_model(terms, provider, model),
        provider=provider, model=model, rates=rates, allocation_id=command.allocation_id, final=command.final,
        reported=command.reported_cost_nanos,
        occurred_us=command.occurred_us, metadata=command.metadata,
    )  # fmt: skip
    batch.take_key(command, command.usage_id)
    if command.final:
        batch.settling[command.allocation_id] = row
    return _receipt(batch, row, holding)


def check_not_ahead(occurred_us: int | None, now_us: int) -> None:
    """InvalidInput when usage claims to come from more than five minutes ahead."""
    if occurred_us is not None and occurred_us > now_us + facts.FUTURE_US:
        raise InvalidInput("occurred_at", "lies more than 5 minutes ahead; check the clock.")


def _recorded_before(batch: Batch, command: Record | Report) -> Row | None:
    ref = _seen(batch, command)
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


def _same_as_settled(batch: Batch, holding: Holding, command: Record) -> Row:
    row = batch.settling.get(command.allocation_id)
    booked = None if row is None else Usage(*row[11:18])
    asked = command.usage
    if command.requests is not None:
        asked = asked._replace(requests=command.requests)
    elif booked is not None:
        asked = asked._replace(requests=booked.requests)
    if row is None or booked != asked:
        raise Conflict(
            f"The allocation was settled by {holding.state.settled_by} with other usage; "
            "correct that record instead.",
            code="already_settled",
        )
    return row


def _cost(
    rates: Rates | None, usage: Usage, command: Record | Report
) -> tuple[int | None, list[str]]:
    """The cost to book (ours if priced, else a trusted reporter's), and the flags it earns."""
    if rates is not None:
        return cost_nanos(rates, usage), []
    if command.reported_cost_nanos is not None and command.manage:
        return command.reported_cost_nanos, []
    return None, ["unpriced"]


def _stand_in(batch: Batch, model: str | None, attributes: Mapping[str, str]) -> Rates | None:
    if model is None:
        return None
    rule = batch.catalogue.match(attributes).unpriced
    return rule if isinstance(rule, Rates) else None


def _amounts(usage: Usage, cost: int | None) -> Amounts:
    return Amounts(
        cost,
        usage.input_tokens + usage.output_tokens,
        usage.input_tokens,
        usage.output_tokens,
        usage.requests,
    )


def _with_model(terms: Terms, provider: str | None, model: str | None) -> str:
    """The attributes of usage, as JSON: the allocation's, and the model it was told of only now."""
    if model is None or "model" in terms.attributes:
        return terms.attributes_json
    more = {"model": model} if provider is None else {"model": model, "provider": provider}
    return rows.to_json(dict(sorted({**terms.attributes, **more}.items())))


def _book(
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
    occurred_us: int | None = None,
    reverses: str | None = None,
    replaces: str | None = None,
    reason: str | None = None,
    metadata: str = "{}",
) -> Row:
    """Write a usage record, its tags and its rollups; the USAGE_COLUMNS row."""
    if occurred_us is None:
        occurred_us = batch.now_us
    attributes = rows.decode_attributes(attributes_json)
    row: Row = (
        usage_id, allocation_id, entry_id, command.actor, batch.now_us, occurred_us,
        attributes_json, provider, model,
        attributes.get("session"), attributes.get("task"), *usage, cost, reported,
        None if rates is None else encode_rates(rates), " ".join(flags), int(final),
        reverses, replaces, reason, command.request_hash, metadata,
    )  # fmt: skip
    batch.changes.usage.append(row)
    for name, value in rows.tags_of(attributes_json):
        batch.changes.usage_tags.append((name, value, usage_id))
    batch.usage[usage_id] = row
    batch.roll_up(attributes_json, occurred_us, usage, cost, -1 if reverses else 1)
    if "unpriced" in flags:
        batch.alert_subject("unpriced", model or "", {"model": model, "usage_id": usage_id})
    if (
        reported is not None
        and cost is not None
        and abs(reported - cost) * REPORTED_DIFFERS_BY > cost
    ):
        detail = {"usage_id": usage_id, "cost_nanos": cost, "reported_cost_nanos": reported}
        batch.alert_subject("cost_differs", model or "", detail)
    return row


def _receipt(batch: Batch, row: Row, holding: Holding | None, *, replayed: bool = False) -> Receipt:
    rates = row[20]
    basis = None if rates is None else decode_rates(rates).basis
    flags = tuple(row[21].split())
    if holding is None:
        return Receipt(row[0], row[18], basis, flags, _booked_views(batch, row), replayed=replayed)
    state = holding.state
    return Receipt(
        row[0], row[18], basis, flags, batch.views(holding), holding.terms.allocation_id,
        state.status, state.expires_us, state.left, replayed,
    )  # fmt: skip


def _booked_views(batch: Batch, row: Row) -> tuple[BalanceView, ...]:
    match = batch.catalogue.match(rows.usage_from_row(row).attributes)
    return tuple(batch.view(balance) for balance in batch.balances_of(match))


# --- Reporting what nobody reserved --------------------------------------------------------------


def plan_report(batch: Batch, command: Report) -> None:
    _claim(batch, command, command.usage_id)
    if command.chosen:
        batch.needs.usage.add(command.usage_id)


def meet_report(batch: Batch, command: Report) -> None:
    batch.needs.pairs.update(batch.catalogue.match(command.attributes).pairs)


def want_report(batch: Batch, command: Report) -> None:
    """Note the closed windows that late usage belongs to."""
    if command.occurred_us is None:
        return
    for balance in batch.balances_of(batch.catalogue.match(command.attributes)):
        cell_us = facts.cell_of(balance, command.occurred_us, batch.now_us).cell_us
        if cell_us is not None:
            batch.want_window(balance.id, cell_us)


def run_report(batch: Batch, command: Report) -> Receipt:
    before = _recorded_before(batch, command)
    if before is not None:
        return _receipt(batch, before, None, replayed=True)
    occurred_us = command.occurred_us
    check_not_ahead(occurred_us, batch.now_us)
    occurred_us = batch.now_us if occurred_us is None else min(occurred_us, batch.now_us)
    rates = command.rates or _stand_in(batch, command.model, command.attributes)
    cost, flags = _cost(rates, command.usage, command)
    flags.insert(0, "unreserved")
    match = batch.catalogue.match(command.attributes)
    places = [
        (balance, facts.cell_of(balance, occurred_us, batch.now_us))
        for balance in batch.balances_of(match)
    ]
    if any(place.prior_period for _, place in places):
        flags.append("prior_period")
    decided = facts.report(_amounts(command.usage, cost), places, batch.balances)
    if decided.overran:
        flags.append("overrun")
    legs = batch.apply(decided)
    for balance, _ in places:
        if balance.policy.hard:
            batch.alert("unreserved", balance)
    entry_id = batch.enter(
        "reported", command.actor, legs, {"flags": flags}, usage_id=command.usage_id
    )
    row = _book(
        batch, command, entry_id, command.usage, cost, flags, usage_id=command.usage_id,
        attributes_json=rows.to_json(command.attributes),
        provider=command.provider, model=command.model, rates=rates, reported=command.reported_cost_nanos, occurred_us=occurred_us,
        metadata=command.metadata, final=True,
    )  # fmt: skip
    batch.take_key(command, command.usage_id)
    return _receipt(batch, row, None)


# --- Correcting ----------------------------------------------------------------------------------


def plan_correct(batch: Batch, command: Correct) -> None:
    _claim(batch, command, _correction_ref(command))
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
    for _, legs in batch.unit.entry_legs([row[2]]):
        batch.correcting[command.usage_id] = legs
        batch.needs.heads.update(leg[0] for leg in rows.postings_from_json(legs))


def want_correct(batch: Batch, command: Correct) -> None:
    for leg in rows.postings_from_json(batch.correcting.get(command.usage_id, "[]")):
        batch.want_window(leg[0], leg[1])


def run_correct(batch: Batch, command: Correct) -> Correction:
    ref = _seen(batch, command)
    if ref is not None:
        return _corrected_before(batch, command, ref)
    row = batch.usage.get(command.usage_id)
    if row is None:
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
    old = rows.usage_from_row(row)
    rates = None if row[20] is None else decode_rates(row[20])
    usage, cost = command.replacement, None
    if usage is not None:
        cost = None if rates is None else cost_nanos(rates, usage)
    booked = _booked(batch, command.usage_id)
    new = Amounts(0, 0, 0, 0, 0) if usage is None else _amounts(usage, cost)
    decided = facts.correct(booked, new, batch.balances)
    legs = batch.apply(decided)
    detail = {"reason": command.reason, "corrects": command.usage_id}
    entry_id = batch.enter(
        "corrected", command.actor, legs, detail,
        allocation_id=old.allocation_id, usage_id=command.usage_id,
    )  # fmt: skip
    shared: dict[str, Any] = {
        "attributes_json": row[6], "provider": old.provider, "model": old.model, "rates": rates,
        "allocation_id": old.allocation_id, "occurred_us": old.occurred_us,
        "reason": command.reason, "metadata": "{}",
    }  # fmt: skip
    minus = None if old.cost_nanos is None else -old.cost_nanos
    _book(
        batch, command, entry_id, negated(old.usage), minus, ["correction"],
        usage_id=command.reversal_id, reverses=command.usage_id, **shared,
    )  # fmt: skip
    if usage is not None:
        assert command.replacement_id is not None
        _book(
            batch, command, entry_id, usage, cost, ["correction"],
            usage_id=command.replacement_id, replaces=command.usage_id, **shared,
        )  # fmt: skip
    batch.reversed[command.usage_id] = command.reversal_id
    batch.take_key(command, _correction_ref(command))
    views = tuple(batch.view(batch.balances[head_id]) for head_id in booked)
    return Correction(command.reversal_id, command.replacement_id, cost, views)


def _booked(batch: Batch, usage_id: str) -> dict[int, list[tuple[int, int]]]:
    """What a record spent, by head: (cell_us, spent), in the order it was booked."""
    booked: dict[int, list[tuple[int, int]]] = {}
    for head_id, cell_us, spent, *_ in rows.postings_from_json(batch.correcting[usage_id]):
        booked.setdefault(head_id, []).append((cell_us, spent))
    return booked


def _corrected_before(batch: Batch, command: Correct, ref: str) -> Correction:
    reversal_id, _, replacement_id = ref.partition(" ")
    views = tuple(
        batch.view(batch.balances[head_id]) for head_id in _booked(batch, command.usage_id)
    )
    cost = batch.usage[replacement_id][18] if replacement_id else None
    return Correction(reversal_id, replacement_id or None, cost, views, replayed=True)


# --- The tables ----------------------------------------------------------------------------------

Act = Callable[[Batch, Any], Any]

PLAN: Final[Mapping[type[Command], Act]] = {
    Place: plan_place,
    Record: plan_record,
    Release: plan_release,
    Extend: plan_extend,
    Report: plan_report,
    Correct: plan_correct,
    Sweep: plan_sweep,
}
MEET: Final[Mapping[type[Command], Act]] = {
    Place: meet_place,
    Report: meet_report,
    Correct: meet_correct,
}
WANT: Final[Mapping[type[Command], Act]] = {Report: want_report, Correct: want_correct}
RUN: Final[Mapping[type[Command], Act]] = {
    Place: run_place,
    Record: run_record,
    Release: run_release,
    Extend: run_extend,
    Report: run_report,
    Correct: run_correct,
    Sweep: run_sweep,
}
"""`plan`, `meet`, `want` (closed windows, once balances are open) and `run`, by command."""

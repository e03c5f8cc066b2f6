"""Refusing: what a caller is told who may not spend, and that it was counted."""

from typing import Final

from budget.domain.allocations import Held
from budget.domain.answers import (
    Refusal,
    RefusalLine,
)
from budget.domain.balances import Balance
from budget.domain.decide import EnvelopeShort, Refused, Shortfall
from budget.domain.ladders import Ladder, strictest
from budget.domain.money import format_usd
from budget.domain.rights import covers
from budget.engine.batch import Batch, RefusedBy
from budget.engine.catalogue import Match
from budget.engine.commands import Command, Place

_NO_ROOM_WITHIN: Final = "The envelope that this call is part of has not enough left for it."
"""What is told of an envelope that the caller may not see."""


def refuse(
    batch: Batch,
    command: Command,
    refused: Refused,
    *,
    asked: Held | None = None,
    laddered: frozenset[str] = frozenset(),
) -> Refusal:
    """The answer to a refusal; SetAside once, if holds are due that may make room.

    `laddered` are the budgets that the command meets and that have a ladder.
    """
    batch.set_aside_if_due()
    uncounted = isinstance(command, Place) and (command.dry or command.tentative)
    if refused.envelope is not None:
        if not uncounted:
            _count_empty(batch, command, refused.envelope)
        return _empty(batch, command, refused.envelope)
    lines = sorted(
        (
            RefusalLine(batch.view(s.balance), s.requested, s.short, s.resets_us)
            for s in refused.shortfalls
        ),
        key=lambda line: (line.resets_us is not None, -(line.resets_us or 0)),
    )
    if not uncounted:
        for short_of in refused.shortfalls:
            _count_refusal(batch, command, short_of)
    return Refusal(
        code="over_limit",
        detail=_over_limit_text(lines[0]),
        at_us=batch.now_us,
        lines=tuple(lines),
        provider=getattr(command, "provider", None),
        model=getattr(command, "model", None),
        asked=asked,
        ladder=_ladder(batch, refused, laddered) if laddered else None,
    )


def _empty(batch: Batch, command: Command, short: EnvelopeShort) -> Refusal:
    """The answer to a call for which its envelope has not enough."""
    if not covers(command.bound, batch.holdings[short.parent_id].terms.attributes):
        return Refusal("envelope_exhausted", _NO_ROOM_WITHIN, batch.now_us)
    amount = amount_text(short.requested, short.unit)
    return Refusal(
        code="envelope_exhausted",
        detail=f"Envelope {short.parent_id} has {amount_text(short.left, short.unit)} left; "
        f"this call needs {amount}. Extend the envelope, or ask for less.",
        at_us=batch.now_us,
        parent_id=short.parent_id,
        unit=short.unit,
        limit=short.limit,
        requested=short.requested,
        shortfall=short.requested - short.left,
    )


def _ladder(batch: Batch, refused: Refused, laddered: frozenset[str]) -> Ladder | None:
    """The strictest ladder of the budgets that refuse."""
    ids = {short.balance.policy.budget_id for short in refused.shortfalls} & laddered
    return strictest(
        Ladder(budget_id, batch.catalogue.budgets[budget_id].degrade, is_hard=True)
        for budget_id in ids
    )


def _over_limit_text(line: RefusalLine) -> str:
    view = line.balance
    unit = view.policy.unit
    text = (
        f"Budget {view.budget!r} has {amount_text(view.remaining, unit)} of its "
        f"{view.policy.period.text} {amount_text(view.limit, unit)} left; "
        f"this call needs {amount_text(line.requested, unit)}"
    )
    return f"{text} (short by {amount_text(line.shortfall, unit)})."


def amount_text(amount: int, unit: str) -> str:
    """An amount with its unit, in words."""
    return f"{format_usd(amount)} USD" if unit == "usd" else f"{amount} {unit}"


def refuse_unpriced(batch: Batch, command: Place, match: Match) -> Refusal:
    """The answer to a call of a model without a price, by every budget that refuses such calls.

    A budget speaks through its policies in money, or through all if it has none.
    """
    strict = [budget for budget in match.budgets if budget.unpriced_rule == "refuse"]
    refusing: list[Balance] = []
    for budget in strict:
        own = [b for b in batch.balances_of(match) if b.policy.budget_id == budget.budget_id]
        refusing += [b for b in own if b.policy.unit == "usd"] or own
    if not (command.dry or command.tentative):
        for balance in refusing:
            detail: dict[str, object] = {
                "partition": balance.partition, "unit": balance.policy.unit, "model": command.model,
                "provider": command.provider, "attributes": command.attributes,
                "act": command.act, "code": "model_unpriced",
            }  # fmt: skip
            policy_id = balance.policy.policy_id
            batch.refused.append(RefusedBy(policy_id, balance.partition, command.actor, detail))
    what = f"The price of model {command.model!r}"
    if command.rates is not None:
        what = f"What model {command.model!r} asks for {', '.join(dict(command.units))}"
    return Refusal(
        code="model_unpriced",
        detail=f"{what} is not known, and budget "
        f"{strict[0].name!r} refuses unpriced models. Name a priced model, or set the budget's "
        '"unpriced" to "allow" or to {input, output} prices.',
        at_us=batch.now_us,
        lines=tuple(RefusalLine(batch.view(balance), 0, 0, None) for balance in refusing),
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
    balance = short.balance
    batch.refused.append(
        RefusedBy(balance.policy.policy_id, balance.partition, command.actor, detail, balance)
    )


def _count_empty(batch: Batch, command: Command, short: EnvelopeShort) -> None:
    detail = {
        "parent_id": short.parent_id, "unit": short.unit, "limit": short.limit,
        "requested": short.requested, "shortfall": short.requested - short.left,
        "act": command.act, "code": "envelope_exhausted",
    }  # fmt: skip
    batch.refused.append(RefusedBy("", short.parent_id, command.actor, detail))

"""Soft limits with a ladder: past their action threshold a call takes a step of it.

Not here: hard limits (`domain.decide`), and the steps (`gateway.degrading`).
"""

from collections.abc import Iterable

from budget.domain.allocations import Amounts, Held
from budget.domain.answers import Refusal, RefusalLine
from budget.domain.balances import Balance
from budget.domain.budgets import BPS
from budget.domain.decide import Refused
from budget.domain.ladders import Ladder, strictest
from budget.domain.money import format_fraction
from budget.engine.acts.refusing import amount_text
from budget.engine.batch import Batch, RefusedBy
from budget.engine.catalogue import Match
from budget.engine.commands import Place, Way


def past_action(balances: Iterable[Balance], match: Match, way: Way) -> list[Balance]:
    """The balances whose soft limit is past its action threshold, of budgets with a ladder."""
    if way.at_soft == "pass" or not match.laddered:
        return []
    return [
        balance
        for balance in balances
        if balance.policy.enforcement == "soft_limit"
        and balance.policy.budget_id in match.laddered
        and _used(balance) * BPS >= balance.limit * balance.policy.action_bps
    ]


def has_ladder(decision: object, match: Match) -> bool:
    """Whether a hard limit refuses whose budget has a ladder, which goes before."""
    return isinstance(decision, Refused) and any(
        short.balance.policy.budget_id in match.laddered for short in decision.shortfalls
    )


def _used(balance: Balance) -> int:
    return balance.spent + balance.reserved + balance.assumed


def refuse_at_soft(
    batch: Batch, command: Place, pressed: list[Balance], *, asked: Held, wanted: Amounts
) -> Refusal:
    """The refusal with its ladder; one that is not final counts as none. SetAside once, if holds
    are due that may make room.
    """
    batch.set_aside_if_due()
    way = command.way
    assert way is not None
    lines = sorted(
        (
            RefusalLine(
                batch.view(balance), wanted[balance.policy.unit_index] or 0, 0,
                None if balance.policy.rolling else batch.view(balance).window.end_us,
            )
            for balance in pressed
        ),
        key=lambda line: -(line.resets_us or 0),
    )  # fmt: skip
    if way.at_soft == "refuse" and not (command.dry or command.tentative):
        for balance in pressed:
            _count(batch, command, balance, wanted)
    budgets = batch.catalogue.budgets
    ladders = {balance.policy.budget_id for balance in pressed}
    return Refusal(
        code="over_limit",
        detail=_text(lines[0]),
        at_us=batch.now_us,
        lines=tuple(lines),
        provider=command.provider,
        model=command.model,
        asked=asked,
        ladder=strictest(Ladder(id, budgets[id].degrade, is_hard=False) for id in ladders),
    )


def _text(line: RefusalLine) -> str:
    view = line.balance
    terms = view.policy
    used = amount_text(view.spent + view.reserved + view.assumed, terms.unit)
    return (
        f"Budget {view.budget!r} has used or holds {used} of its {terms.period.text} "
        f"{amount_text(view.limit, terms.unit)}, and calls are degraded from "
        f"{format_fraction(terms.action_bps)} of it."
    )


def _count(batch: Batch, command: Place, balance: Balance, wanted: Amounts) -> None:
    policy = balance.policy
    detail: dict[str, object] = {
        "partition": balance.partition, "unit": policy.unit, "limit": balance.limit,
        "spent": balance.spent, "reserved": balance.reserved, "assumed": balance.assumed,
        "requested": wanted[policy.unit_index] or 0, "shortfall": 0,
        "attributes": command.attributes, "act": command.act,
    }  # fmt: skip
    batch.refused.append(RefusedBy(policy.policy_id, balance.partition, command.actor, detail))

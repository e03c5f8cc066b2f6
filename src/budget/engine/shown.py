"""Shown: an answer as its caller may see it, who may be bound to attributes.

Balances of budgets that it may not see are left out; where one of them refuses, it is told the unit
and when that resets. Not here: what a bound caller may see (`domain.rights`), and reading, which
asks the books for no more than that (`reports`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from budget.domain.answers import (
    Allocation,
    BalanceView,
    Bulk,
    Check,
    Correction,
    HiddenLine,
    Receipt,
    Refusal,
)
from budget.domain.budgets import Budget
from budget.domain.rights import Bound, sees_balance

T = TypeVar("T")

Budgets = Mapping[str, Budget]

_NO_ROOM: Final = "A limit that this key may not see has no room for this call."
_UNPRICED: Final = (
    "The price of this model is not known, and a budget that this call meets refuses unpriced "
    "models. Name a priced model."
)


def shown(answer: T, bound: Bound, budgets: Budgets) -> T:
    """The answer to a command, as a caller bound to these attributes may see it."""
    return _shown(answer, bound, budgets) if bound else answer


def _shown(answer: Any, bound: Bound, budgets: Budgets) -> Any:
    if isinstance(answer, Refusal):
        return _refusal(answer, bound, budgets)
    if isinstance(answer, Allocation | Check):
        return answer._replace(legs=_views(answer.legs, bound, budgets))
    if isinstance(answer, Receipt | Correction):
        return answer._replace(balances=_views(answer.balances, bound, budgets))
    if isinstance(answer, Bulk):
        return Bulk(tuple(_shown(result, bound, budgets) for result in answer.results))
    return answer


def _views(
    views: tuple[BalanceView, ...], bound: Bound, budgets: Budgets
) -> tuple[BalanceView, ...]:
    return tuple(view for view in views if _sees(view, bound, budgets))


def _sees(view: BalanceView, bound: Bound, budgets: Budgets) -> bool:
    budget = budgets[view.policy.budget_id]
    return sees_balance(bound, budget, budget.policy(view.policy.policy_id), view.partition)


def _refusal(answer: Refusal, bound: Bound, budgets: Budgets) -> Refusal:
    lines = tuple(line for line in answer.lines if _sees(line.balance, bound, budgets))
    hidden = tuple(
        HiddenLine(line.unit, line.resets_us, line.soon)
        for line in answer.lines
        if line not in lines
    )
    detail = answer.detail
    if answer.code == "model_unpriced":
        detail = _UNPRICED  # it names one budget of several
    elif answer.lines[:1] != lines[:1]:
        detail = _NO_ROOM
    return replace(answer, lines=lines, hidden=hidden, detail=detail)

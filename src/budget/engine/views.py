"""Views: balances as callers see them, in the hands of a batch or read from a snapshot.

Not here: what a balance is (`domain.balances`), how it is written down (`rows`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from budget.domain.allocations import Leg
from budget.domain.answers import BalanceView
from budget.domain.balances import Balance, Cell
from budget.domain.budgets import Budget
from budget.domain.windows import Window

Budgets = Mapping[str, Budget]
"""Budgets by id, for their names."""

_new: Final = tuple.__new__  # makes a named tuple at half the price; answers hold many


def view(balance: Balance, budgets: Budgets, cell_us: int | None = None) -> BalanceView:
    """A balance as it stands: the open window, or the closed one that a leg lies in."""
    policy = balance.policy
    if cell_us is None or cell_us == balance.start_us or policy.rolling:
        return _new(
            BalanceView,
            (
                policy.terms, budgets[policy.budget_id].name, balance.partition, balance.window,
                balance.limit, balance.spent, balance.reserved, balance.assumed, balance.overrun,
            ),
        )  # fmt: skip
    cell = balance.cells[cell_us]
    return BalanceView(
        policy.terms, budgets[policy.budget_id].name, balance.partition,
        Window(cell_us, cell.end_us),
        balance.limit_of(cell_us, cell), cell.spent, cell.reserved, cell.assumed, cell.overrun,
    )  # fmt: skip


def views_of(
    legs: Sequence[Leg], balances: Mapping[int, Balance], budgets: Budgets
) -> tuple[BalanceView, ...]:
    """The balances that legs lie on, each cell once (of a rolling policy, each balance once)."""
    if len({leg[0] for leg in legs}) == len(legs):
        return tuple([view(balances[leg[0]], budgets, leg[1]) for leg in legs])
    shown: dict[tuple[int, int], BalanceView] = {}
    for head_id, cell_us, _, _, _ in legs:
        balance = balances[head_id]
        name = (head_id, balance.start_us if balance.policy.rolling else cell_us)
        if name not in shown:
            shown[name] = view(balance, budgets, cell_us)
    return tuple(shown.values())


def closed_cell(balance: Balance, start_us: int) -> Cell:
    """The figures of a closed window that nothing was booked in yet."""
    return Cell(end_us=balance.policy.window_of(balance.partition, start_us).end_us)

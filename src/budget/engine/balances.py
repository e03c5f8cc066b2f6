"""Balances read without the writer: heads brought to now for view only, and the windows they left.

Not here: the balances of a batch, which are locked and changed (`batch`), how they look (`views`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, select, tuple_

from budget.domain.allocations import Leg
from budget.domain.answers import BalanceView
from budget.domain.balances import Balance, Cell
from budget.domain.budgets import Budget, Policy, TopUp
from budget.engine import rows
from budget.engine.budget_rows import (
    budget_from_row,
    budgets_from_rows,
    policy_from_row,
    top_up_from_row,
)
from budget.engine.views import closed_cell, views_of
from budget.storage import schema
from budget.storage.unit import HEAD_COLUMNS, WINDOW_COLUMNS, Row

T = TypeVar("T")

CHUNK: Final = 500
"""How many values one query names: few enough for any build of SQLite."""


class Balances(NamedTuple):
    """Balances by head, and their budgets by id (without policies)."""

    by_head: Mapping[int, Balance]
    budgets: Mapping[str, Budget]

    def views(self, legs: Sequence[Leg]) -> tuple[BalanceView, ...]:
        """What legs lie on, each cell once."""
        return views_of(legs, self.by_head, self.budgets)


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in lists short enough to be named in one query."""
    listed = list(values)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]


# --- Policies ------------------------------------------------------------------------------------


def read_policies(connection: Connection, policy_ids: Iterable[str]) -> dict[str, Policy]:
    """Policies by id, with their top-ups."""
    found: dict[str, Policy] = {}
    table = schema.policies
    for some in chunks(policy_ids):
        wanted = table.c.policy_id.in_(some)
        raised: dict[str, list[TopUp]] = defaultdict(list)
        for row in _top_ups(connection, wanted):
            raised[row[1]].append(top_up_from_row(row))
        for row in connection.execute(select(table).where(wanted)):
            found[row[0]] = policy_from_row(row, tuple(raised[row[0]]))
    return found


def read_budgets(connection: Connection, budget_rows: Iterable[Row]) -> list[Budget]:
    """The budgets of BUDGET_COLUMNS rows, in that order, with their policies, the oldest first."""
    table = schema.policies
    found: list[Budget] = []
    for some in chunks(budget_rows):
        wanted = table.c.budget_id.in_([row[0] for row in some])
        policies = connection.execute(select(table).where(wanted))
        found += budgets_from_rows(some, policies, _top_ups(connection, wanted))
    return found


def _top_ups(connection: Connection, wanted: ColumnElement[bool]) -> Iterable[Row]:
    table = schema.top_ups
    of_policies = select(table).join(
        schema.policies, schema.policies.c.policy_id == table.c.policy_id
    )
    in_order = of_policies.where(wanted).order_by(table.c.at_us, table.c.top_up_id)
    return map(tuple, connection.execute(in_order))


def budgets_named(connection: Connection, budget_ids: Iterable[str]) -> dict[str, Budget]:
    """Budgets by id, without their policies."""
    found: dict[str, Budget] = {}
    for some in chunks(budget_ids):
        wanted = select(schema.budgets).where(schema.budgets.c.budget_id.in_(some))
        found.update((row[0], budget_from_row(row)) for row in connection.execute(wanted))
    return found


# --- Heads ---------------------------------------------------------------------------------------

_HEADS: Final = select(*(schema.heads.c[name] for name in HEAD_COLUMNS))
_WINDOWS: Final = select(*(schema.windows.c[name] for name in WINDOW_COLUMNS))


def heads_of(connection: Connection, policy_ids: Iterable[str]) -> Iterator[Row]:
    """The head rows of policies: one for each partition that has had a call."""
    for some in chunks(policy_ids):
        yield from map(tuple, connection.execute(_HEADS.where(schema.heads.c.policy_id.in_(some))))


def read_balances(connection: Connection, legs: Iterable[Leg], now_us: int) -> Balances:
    """The balances that legs lie on, opened at now, with the closed windows among the legs."""
    cells = {(leg.head_id, leg.cell_us): None for leg in legs}
    found: list[Row] = []
    for some in chunks({head_id for head_id, _ in cells}):
        found += map(tuple, connection.execute(_HEADS.where(schema.heads.c.id.in_(some))))
    policies = read_policies(connection, {row[1] for row in found})
    by_head = {}
    for row in found:
        by_head[row[0]] = balance = rows.balance_from_row(row, policies[row[1]])
        balance.open(now_us)
    _read_closed_windows(connection, by_head, cells)
    budget_ids = {policy.budget_id for policy in policies.values()}
    return Balances(by_head, budgets_named(connection, budget_ids))


def _read_closed_windows(
    connection: Connection, by_head: Mapping[int, Balance], cells: Iterable[tuple[int, int]]
) -> None:
    closed = [
        (head_id, start_us)
        for head_id, start_us in cells
        if not by_head[head_id].policy.rolling
        and start_us != by_head[head_id].start_us
        and start_us not in by_head[head_id].cells
    ]
    for head_id, start_us in closed:
        by_head[head_id].cells[start_us] = closed_cell(by_head[head_id], start_us)
    key = tuple_(schema.windows.c.head_id, schema.windows.c.start_us)
    for some in chunks(closed):
        for row in connection.execute(_WINDOWS.where(key.in_(some))):
            head_id, start_us, end_us, spent, reserved, assumed, overrun, carry = row
            by_head[head_id].cells[start_us] = Cell(
                spent, reserved, assumed, overrun, end_us, carry
            )

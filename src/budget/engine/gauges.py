"""Gauges: how the books stand at a moment, as a few numbers that somebody watches.

Bounded whatever the books hold: the balances that moved last, and counts. Not here: what the
process has done (`meter`), and how it is shown (`http.metrics`).
"""

from typing import Final, NamedTuple

from sqlalchemy import func, literal_column, select

from budget.domain.answers import BalanceView
from budget.domain.balances import Balance
from budget.domain.windows import to_rfc3339
from budget.engine import rows
from budget.engine.balances import read_policies
from budget.engine.books import Books
from budget.engine.budget_rows import budget_from_row
from budget.engine.channels.outbox import PENDING
from budget.engine.coverage import Share, coverage, shares
from budget.engine.snapshots import snapshot
from budget.engine.views import view
from budget.storage import schema
from budget.storage.unit import HEAD_COLUMNS

MAX_BALANCES: Final = 500
LATE_US: Final = 60_000_000
"""A notice that was due so long ago is overdue."""
COVERED_US: Final = 86_400_000_000


class AlertCount(NamedTuple):
    """How many alerts of a kind nobody has seen to, and that still hold."""

    kind: str
    severity: str
    alerts: int


class Gauges(NamedTuple):
    """How the books stand. `balances_left_out`: those that moved less lately than the ones told."""

    balances: tuple[BalanceView, ...]
    balances_left_out: int
    alerts: tuple[AlertCount, ...]
    open_allocations: int
    overdue_allocations: int
    unsealed_entries: int
    coverage: tuple[Share, ...]
    deliveries_waiting: int
    deliveries_overdue: int


def read_gauges(books: Books) -> Gauges:
    """The gauges of now: coverage of the last day, everything else as it stands."""
    now_us = books.database.now_us()
    day = {"since": to_rfc3339(now_us - COVERED_US)}
    covered = tuple(shares(coverage(books, day)))
    balances, left_out = _balances(books, now_us)
    alerts, placed = schema.alerts.c, schema.allocations.c
    live = select(alerts.kind, alerts.severity, func.count()).where(
        alerts.resolved_us.is_(None),
        alerts.acknowledged_us.is_(None),
        alerts.dismissed_us.is_(None),
    )
    is_open = (
        select(func.count())
        .select_from(schema.allocations)
        .where(placed.status == literal_column("'open'"))
    )
    told = schema.deliveries.c
    waiting = select(func.count()).where(PENDING)
    sealed = select(func.coalesce(func.max(schema.blocks.c.last_entry_id), -1)).scalar_subquery()
    unsealed = select(func.count()).select_from(schema.entries).where(schema.entries.c.id > sealed)
    with snapshot(books.database) as connection:
        counts = connection.execute(live.group_by(alerts.kind, alerts.severity)).all()
        return Gauges(
            balances,
            left_out,
            tuple(AlertCount(*row) for row in counts),
            connection.execute(is_open).scalar_one(),
            connection.execute(is_open.where(placed.expires_us <= now_us)).scalar_one(),
            connection.execute(unsealed).scalar_one(),
            covered,
            connection.execute(waiting).scalar_one(),
            connection.execute(waiting.where(told.due_us <= now_us - LATE_US)).scalar_one(),
        )


def _balances(books: Books, now_us: int) -> tuple[tuple[BalanceView, ...], int]:
    """The balances of live policies that moved last, and how many others there are."""
    heads, policies, budgets = schema.heads, schema.policies, schema.budgets
    live = (policies.c.archived_us.is_(None), budgets.c.archived_us.is_(None))
    joined = heads.join(policies, policies.c.policy_id == heads.c.policy_id).join(
        budgets, budgets.c.budget_id == policies.c.budget_id
    )
    newest = (
        select(*(heads.c[name] for name in HEAD_COLUMNS))
        .select_from(joined)
        .where(*live)
        .order_by(heads.c.last_us.desc(), heads.c.id)
        .limit(MAX_BALANCES)
    )
    with snapshot(books.database) as connection:
        total = connection.execute(
            select(func.count()).select_from(joined).where(*live)
        ).scalar_one()
        found = [tuple(row) for row in connection.execute(newest)]
        of = read_policies(connection, {row[1] for row in found})
        wanted = {policy.budget_id for policy in of.values()}
        named = {
            row[0]: budget_from_row(row)
            for row in connection.execute(select(budgets).where(budgets.c.budget_id.in_(wanted)))
        }
    told: list[Balance] = []
    for row in found:
        balance = rows.balance_from_row(row, of[row[1]])
        balance.open(now_us)
        told.append(balance)
    return tuple(view(balance, named) for balance in told), total - len(told)

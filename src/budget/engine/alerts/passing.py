"""Passing: which balances have passed a threshold, or soon will, without an alert that says so.

Thresholds are passed by calls, which alert of them in their own transaction; looking finds what was
passed before there was a policy that minds, and what goes too fast. Not here: what is over
(`resolving`), and who looks (`watching`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, or_, select

from budget.domain.alerts import soon_exhausted_us
from budget.domain.balances import Balance
from budget.domain.budgets import BPS
from budget.domain.rights import UNBOUND, Bound, sees_partition
from budget.domain.windows import MAX_US
from budget.engine.alerts.rows import read_budgets, table
from budget.engine.balances import chunks, read_policies
from budget.engine.batch import Batch
from budget.engine.rows import DAY_US, balance_from_row
from budget.storage import schema
from budget.storage.unit import HEAD_COLUMNS

SOON: Final = "exhausted_soon"
MAX_FOUND: Final = 1000
"""How many balances one look alerts of; the next finds the rest."""

_heads, _policies, _budgets = schema.heads.c, schema.policies.c, schema.budgets.c
_HEADS: Final = select(*(_heads[name] for name in HEAD_COLUMNS))

Passed = tuple[str, str, int, str]
"""(policy_id, partition, window_us, kind): what an alert would be about."""


class Where(NamedTuple):
    """Which balances are looked at: of a budget, of a period, of what a caller may see."""

    budget_id: str | None = None
    period: str | None = None
    bound: Bound = UNBOUND

    @property
    def everywhere(self) -> bool:
        """Whether nothing is left out."""
        return self == Where()


def ids_after(connection: Connection, after: int, most: int) -> int | None:
    """The last of the next so many heads after one; None when there are none."""
    some = select(_heads.id).where(_heads.id > after).order_by(_heads.id).limit(most).subquery()
    last: int | None = connection.scalar(select(func.max(some.c.id)))
    return last


def unalerted(
    connection: Connection, where: Where, now_us: int, off: Sequence[str],
    after: int, until: int,
) -> list[int]:  # fmt: skip
    """The heads, with ids in (after, until], that should be alerted of and are not yet."""
    wanted = _candidates(where, now_us).where(_heads.id > after, _heads.id <= until)
    found: list[int] = []
    candidates = [tuple(row) for row in connection.execute(wanted.order_by(_heads.id))]
    budgets = read_budgets(connection) if where.bound else {}
    for some in chunks(candidates):
        policies = read_policies(connection, {row[1] for row in some})
        passed: dict[Passed, int] = {}
        for row in some:
            policy = policies[row[1]]
            if where.bound and not sees_partition(
                where.bound, budgets[policy.budget_id], row[2]
            ):  # fmt: skip
                continue
            balance = balance_from_row(row, policy)
            balance.open(now_us)
            for kind in kinds_of(balance, now_us, off):
                passed[policy.policy_id, row[2], window_us_of(balance, now_us), kind] = row[0]
        missing = passed.keys() - _raised(connection, passed)
        found += dict.fromkeys(passed[one] for one in passed if one in missing)
        if len(found) >= MAX_FOUND:
            break
    return found[:MAX_FOUND]


def raise_of(batch: Batch, head_ids: Iterable[int]) -> None:
    """Raise what these heads should be alerted of now, in the transaction of a change."""
    off = (batch.catalogue.settings.get("alerts") or {}).get("off", ())
    for some in chunks(head_ids):
        for row in batch.unit.execute(_HEADS.where(_heads.id.in_(some)).order_by(_heads.id)):
            policy = batch.catalogue.policies[row[1]]
            balance = balance_from_row(row, policy)
            balance.open(batch.now_us)
            for kind in kinds_of(balance, batch.now_us, off):
                batch.alert(kind, balance, soon_us=soon_us_of(balance, batch.now_us) or 0)


def kinds_of(balance: Balance, now_us: int, off: Sequence[str]) -> list[str]:
    """What a balance should be alerted of now."""
    kinds = balance.crossed(0)
    if soon_us_of(balance, now_us) is not None:
        kinds.append(SOON)
    return [kind for kind in kinds if kind not in off]


def soon_us_of(balance: Balance, now_us: int) -> int | None:
    """When a calendar window that goes on as it did will reach its limit, if before its end."""
    if balance.policy.rolling or balance.end_us >= MAX_US or balance.policy.enforcement == "ignore":
        return None
    used = balance.spent + balance.assumed
    return soon_exhausted_us(balance.limit, used, balance.start_us, balance.end_us, now_us)


def window_us_of(balance: Balance, now_us: int) -> int:
    """The window that an alert of now is about, as the batch names it."""
    if balance.policy.rolling:
        return now_us - now_us % balance.policy.calendar.period.length_us
    return balance.start_us


def _candidates(where: Where, now_us: int) -> Select[Any]:
    """Heads that may have passed something: top-ups and what rolls over only raise a limit."""
    used = _heads.spent + _heads.assumed
    wanted = (
        _HEADS.join(schema.policies, _policies.policy_id == _heads.policy_id)
        .join(schema.budgets, _budgets.budget_id == _policies.budget_id)
        .where(
            _policies.archived_us.is_(None),
            _budgets.archived_us.is_(None),
            _policies.enforcement != "ignore",
            or_(_heads.end_us > now_us, _heads.end_us == 0),
            used > 0,
            # Not multiplied first: that would leave an int64.
            or_(
                used * 2 >= _policies.limit_amount,
                used >= _policies.limit_amount // BPS * _policies.warning_bps,
            ),
        )
    )
    if where.budget_id is not None:
        wanted = wanted.where(_policies.budget_id == where.budget_id)
    if where.period is not None:
        wanted = wanted.where(_policies.period == where.period)
    return wanted


def _raised(connection: Connection, passed: Iterable[Passed]) -> set[Passed]:
    """Which of these were alerted of before."""
    names = list(passed)
    if not names:
        return set()
    alerts = table.c
    wanted = select(alerts.policy_id, alerts.partition, alerts.window_us, alerts.kind).where(
        alerts.policy_id.in_({name[0] for name in names}),
        alerts.partition.in_({name[1] for name in names}),
        alerts.window_us.in_({name[2] for name in names}),
    )
    return {(a, b, c, d) for a, b, c, d in connection.execute(wanted)}


def subjects_told(connection: Connection, kind: str, now_us: int) -> set[str]:
    """The subjects that were alerted of today, by a kind that is about no policy."""
    alerts, day_us = table.c, now_us - now_us % DAY_US
    wanted = select(alerts.partition).where(
        alerts.policy_id == "", alerts.window_us == day_us, alerts.kind == kind
    )
    return set(connection.scalars(wanted))

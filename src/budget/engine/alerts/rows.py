"""Alert rows: how alerts are read from their table, with the budget and unit of their policy."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, or_, select

from budget.domain.alerts import TYPES
from budget.domain.answers_alerts import Alert
from budget.domain.attributes import compared
from budget.domain.budgets import Budget
from budget.domain.errors import NotFound
from budget.domain.rights import Bound, sees_balance, sees_budget
from budget.engine.batch import Batch
from budget.engine.budget_rows import budget_from_row
from budget.engine.pages import is_storable
from budget.storage import schema
from budget.storage.attribute_columns import has_attributes

table: Final = schema.alerts

COLUMNS: Final = (
    "id", "kind", "severity", "policy_id", "partition", "window_us", "at_us", "detail",
    "acknowledged_us", "acknowledged_by", "dismissed_us", "dismissed_by", "resolved_us", "note",
)  # fmt: skip

ALERTS: Final = (
    select(
        *(table.c[name] for name in COLUMNS), schema.policies.c.budget_id, schema.policies.c.unit
    )
    .select_from(table)
    .outerjoin(schema.policies, schema.policies.c.policy_id == table.c.policy_id)
)
"""What `from_row` reads."""

BUDGET_ID: Final = schema.policies.c.budget_id
_UNITS: Final = schema.policies.c.unit


def from_row(row: Sequence[Any]) -> Alert:
    """An alert from a row of `ALERTS`."""
    return Alert(*row)


def seen(batch: Batch, alert_id: str, bound: Bound) -> Alert:
    """One alert, in the transaction of a change; NotFound if the caller may not know of it."""
    if is_storable(alert_id):
        found = batch.unit.execute(ALERTS.where(table.c.id == alert_id))
        if found:
            alert = from_row(found[0])
            if not bound or _sees(bound, batch, alert):
                return alert
    raise NotFound("alert", alert_id)


def read_budgets(connection: Connection) -> dict[str, Budget]:
    """All budgets by id, without their policies."""
    found = connection.execute(select(schema.budgets))
    return {row[0]: budget_from_row(tuple(row)) for row in found}


def _sees(bound: Bound, batch: Batch, alert: Alert) -> bool:
    """Whether a caller that is bound may know of an alert: of those of its partitions alone."""
    policy = batch.catalogue.policies.get(alert.policy_id)
    if policy is None:
        return False
    budget = batch.catalogue.budgets[policy.budget_id]
    return sees_budget(bound, budget) and sees_balance(bound, budget, policy, alert.partition)


def seen_by(bound: Bound, budgets: Mapping[str, Budget], dialect: str) -> ColumnElement[bool]:
    """The same in SQL."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for budget in budgets.values():
        if sees_budget(bound, budget):
            split = tuple(key for key in bound if key in budget.per)
            shared.setdefault(split, []).append(budget.budget_id)
    # What an alert is about is JSON only where that is a partition.
    partition = case((table.c.policy_id != "", table.c.partition), else_="{}")
    parts = [
        schema.policies.c.budget_id.in_(ids)
        & has_attributes(partition, {key: compared(key, bound[key]) for key in split}, dialect)
        for split, ids in shared.items()
    ]
    return or_(table.c.id.is_(None), *parts) & schema.policies.c.archived_us.is_(None)


def has_status(status: str) -> ColumnElement[bool] | None:
    """That an alert has a status; None: whatever it has."""
    there = table.c.dismissed_us.is_(None)
    live = there & table.c.resolved_us.is_(None)
    wanted: dict[str, ColumnElement[bool]] = {
        "open": live & table.c.acknowledged_us.is_(None),
        "acknowledged": live & table.c.acknowledged_us.is_not(None),
        "resolved": there & table.c.resolved_us.is_not(None),
        "dismissed": table.c.dismissed_us.is_not(None),
    }
    return wanted.get(status)


def has_type(type_: str) -> ColumnElement[bool]:
    """That an alert is of a type (`domain.alerts.TYPES`), which may be its kind."""
    if type_ in TYPES:
        kinds, units = TYPES[type_]
        return table.c.kind.in_(kinds) & _UNITS.in_(units)
    of_others = [units for kinds, units in TYPES.values() if type_ in kinds]
    unit_is_theirs = [_UNITS.in_(units) for units in of_others]
    return (table.c.kind == type_) & ~or_(table.c.id.is_(None), *unit_is_theirs)

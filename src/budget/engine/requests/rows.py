"""Request rows: how requests for top-ups lie in their table, both ways.

Not here: who may ask and decide (`acts`), and lists of them (`reports`).
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, insert, select, update

from budget.domain.answers_requests import TopUpRequest, status_at
from budget.domain.errors import NotFound
from budget.engine.batch import Batch
from budget.engine.pages import is_storable
from budget.storage import schema

table: Final = schema.top_up_requests

REQUESTS: Final = (
    select(
        *table.columns,
        schema.policies.c.unit,
        schema.top_ups.c.amount.label("granted"),
        schema.top_ups.c.until_us.label("granted_until_us"),
    )
    .select_from(table)
    .join(schema.policies, schema.policies.c.policy_id == table.c.policy_id)
    .outerjoin(schema.top_ups, schema.top_ups.c.top_up_id == table.c.top_up_id)
)
"""What `from_row` reads."""


def from_row(row: Sequence[Any], now_us: int) -> TopUpRequest:
    """A request as it is at an instant."""
    (
        request_id, budget_id, policy_id, partition, amount, until_us, reason, actor, status,
        created_us, expires_us, decided_us, decided_by, decision, top_up_id, unit, granted,
        granted_until_us,
    ) = row  # fmt: skip
    return TopUpRequest(
        request_id, budget_id, policy_id, unit, partition, amount, until_us, reason, actor,
        status_at(status, expires_us, now_us), created_us, expires_us, decided_us, decided_by,
        decision, top_up_id, granted, granted_until_us,
    )  # fmt: skip


def find(batch: Batch, request_id: str) -> TopUpRequest:
    """One request, in the transaction of a change; NotFound."""
    if is_storable(request_id):
        found = batch.unit.execute(REQUESTS.where(table.c.request_id == request_id))
        if found:
            return from_row(found[0], batch.now_us)
    raise NotFound("request", request_id)


def add(batch: Batch, made: TopUpRequest) -> None:
    """Store a new request."""
    values = {name: getattr(made, name) for name in table.columns.keys()}  # noqa: SIM118 - no dict
    batch.unit.execute(insert(table).values(values))


def decide(batch: Batch, decided: TopUpRequest) -> None:
    """Store what a pending request has become."""
    names = ("status", "decided_us", "decided_by", "decision", "top_up_id")
    values = {name: getattr(decided, name) for name in names}
    of = (table.c.request_id == decided.request_id) & (table.c.status == "pending")
    batch.unit.execute(update(table).where(of).values(values))


def count_pending(batch: Batch, budget_id: str, actor: str) -> int:
    """How many requests of somebody wait for a decision on a budget."""
    wait = select(func.count()).where(
        table.c.budget_id == budget_id,
        table.c.actor == actor,
        table.c.status == "pending",
        table.c.expires_us > batch.now_us,
    )
    return int(batch.unit.execute(wait)[0][0])

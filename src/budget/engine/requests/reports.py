"""Request reports: one request for a top-up, and lists of them.

Not here: who may decide (`acts`).
"""

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, false, or_, select

from budget.domain.answers_pages import Page
from budget.domain.answers_requests import STATUSES, TopUpRequest
from budget.domain.attributes import compared
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.rights import Bound, pins, sees_budget
from budget.engine import reports
from budget.engine.pages import is_storable, read_page
from budget.engine.requests import rows
from budget.engine.snapshots import snapshot
from budget.storage.attribute_columns import has_attributes
from budget.storage.schema import policies

if TYPE_CHECKING:
    from budget.engine.books import Books


def request(books: "Books", request_id: str, bound: Bound) -> TopUpRequest:
    """One request; NotFound."""
    if is_storable(request_id):
        with snapshot(books.database) as connection:
            of = rows.REQUESTS.where(rows.table.c.request_id == request_id)
            if bound:
                of = of.where(_seen_by(bound, books))
            row = connection.execute(of).one_or_none()
        if row is not None:
            return rows.from_row(row, books.database.now_us())
    raise NotFound("request", request_id)


def requests_of(
    books: "Books", budget_id: str, status: str | None, limit: int, cursor: str | None, bound: Bound
) -> Page[TopUpRequest]:
    """The requests on a budget, newest first; NotFound."""
    if not sees_budget(bound, reports.budget(books.database, budget_id)):
        raise NotFound("budget", budget_id)
    return requests(books, {"budget_id": budget_id}, status, limit, cursor, bound)


def requests(
    books: "Books",
    equal: dict[str, str | None],
    status: str | None,
    limit: int,
    cursor: str | None,
    bound: Bound,
) -> Page[TopUpRequest]:
    """Requests, newest first; `equal` are columns and what they must be."""
    table, now_us = rows.table, books.database.now_us()
    wanted = rows.REQUESTS
    for name, value in equal.items():
        if value is not None:
            if not is_storable(value):
                raise InvalidInput(name, "must be a text without NUL or lone surrogates.")
            wanted = wanted.where(table.c[name] == value)
    if status is not None:
        wanted = wanted.where(_has_status(status, now_us))
    if bound:
        wanted = wanted.where(_seen_by(bound, books))
    keys = [table.c.created_us, table.c.request_id]
    with snapshot(books.database) as connection:
        found, after = read_page(connection, wanted, keys, limit=limit, cursor=cursor)
    return Page([rows.from_row(tuple(row.values()), now_us) for row in found], after)


def _has_status(status: str, now_us: int) -> ColumnElement[bool]:
    table = rows.table.c
    if status not in STATUSES:
        raise InvalidInput("status", "is not a status of a request.", STATUSES)
    if status == "pending":
        return (table.status == "pending") & (table.expires_us > now_us)
    if status == "expired":
        return (table.status == "pending") & (table.expires_us <= now_us)
    return table.status == status


def _seen_by(bound: Bound, books: "Books") -> ColumnElement[bool]:
    """That a request is on a budget of the caller alone, or on its partition of a shared one.

    Its policy must be in force.
    """
    table, dialect = rows.table.c, books.database.dialect
    live = select(policies.c.policy_id).where(policies.c.archived_us.is_(None))
    pinned: dict[tuple[str, ...], list[str]] = defaultdict(list)
    shared: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for budget in books.ledger.catalogue.budgets.values():
        if sees_budget(bound, budget):
            named = tuple(key for key in bound if key in budget.per)
            (pinned if pins(bound, budget.scope) else shared)[named].append(budget.budget_id)

    def on(ids: list[str], named: tuple[str, ...]) -> ColumnElement[bool]:
        wanted = {key: compared(key, bound[key]) for key in named}
        return table.budget_id.in_(ids) & has_attributes(table.partition, wanted, dialect)

    parts = [on(ids, named) for named, ids in (*pinned.items(), *shared.items())]
    whole = [table.budget_id.in_(ids) & table.partition.is_(None) for ids in pinned.values()]
    return or_(false(), *parts, *whole) & table.policy_id.in_(live)

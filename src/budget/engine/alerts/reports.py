"""Alert reports: lists of alerts and one of them, read without the writer."""

from typing import Any

from budget.domain.alerts import KINDS, SEVERITIES, TYPES
from budget.domain.answers_alerts import STATUSES, Alert
from budget.domain.answers_pages import Page
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.rights import UNBOUND, Bound
from budget.domain.windows import parse_rfc3339
from budget.engine.alerts import rows
from budget.engine.books import Books
from budget.engine.pages import is_storable, read_page
from budget.engine.snapshots import snapshot


def alert(books: Books, alert_id: str, bound: Bound = UNBOUND) -> Alert:
    """One alert; NotFound, for what the caller may not know of too."""
    if is_storable(alert_id):
        with snapshot(books.database) as connection:
            of = rows.ALERTS.where(rows.table.c.id == alert_id)
            if bound:
                budgets = rows.read_budgets(connection)
                of = of.where(rows.seen_by(bound, budgets, books.database.dialect))
            found = connection.execute(of).one_or_none()
            if found is not None:
                return rows.from_row(tuple(found))
    raise NotFound("alert", alert_id)


def alerts(
    books: Books,
    bound: Bound = UNBOUND,
    *,
    status: str | None = None,
    acknowledged: bool | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    **equal: str | None,
) -> Page[Alert]:
    """Alerts raised in [since, until), newest first; those nobody has seen to unless asked for.

    `equal` may have budget_id, policy_id, kind, severity and type. `acknowledged` alone asks for
    all that were, or were not, but for what was dismissed.
    """
    table, wanted = rows.table.c, rows.ALERTS
    for name, value in equal.items():
        if value is not None:
            wanted = wanted.where(_is(name, value))
    if acknowledged is not None:
        was = table.acknowledged_us
        wanted = wanted.where(was.is_not(None) if acknowledged else was.is_(None))
        if status is None:
            wanted = wanted.where(table.dismissed_us.is_(None))
    if status is not None and status not in STATUSES:
        raise InvalidInput("status", "is not a status of an alert.", STATUSES)
    asked = status or ("open" if acknowledged is None else "all")
    so = rows.has_status(asked)
    if so is not None:
        wanted = wanted.where(so)
    if since is not None:
        wanted = wanted.where(table.at_us >= parse_rfc3339(since, "since"))
    if until is not None:
        wanted = wanted.where(table.at_us < parse_rfc3339(until, "until"))
    with snapshot(books.database) as connection:
        if bound:
            budgets = rows.read_budgets(connection)
            wanted = wanted.where(rows.seen_by(bound, budgets, books.database.dialect))
        found, after = read_page(
            connection, wanted, [table.at_us, table.id], limit=limit, cursor=cursor
        )
    return Page([rows.from_row(tuple(row.values())) for row in found], after)


def _is(name: str, value: str) -> Any:
    if not is_storable(value):
        raise InvalidInput(name, "must be a text without NUL or lone surrogates.")
    known = {"kind": tuple(KINDS), "severity": SEVERITIES, "type": (*TYPES, *KINDS)}
    if name in known and value not in known[name]:
        raise InvalidInput(name, f"is not a {name} of an alert.", known[name])
    if name == "type":
        return rows.has_type(value)
    column = rows.BUDGET_ID if name == "budget_id" else rows.table.c[name]
    return column == value

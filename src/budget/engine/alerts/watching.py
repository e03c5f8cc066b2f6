"""Watching: looks for what nobody was told of yet, and for alerts that are over.

A service looks every 30 seconds, each time at the next so many balances and alerts, so that a look
takes bounded time however many there are; `check` looks at all of them at once. Not here: what is
found (`passing`, `runaway`, `resolving`).
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from budget.domain.answers_alerts import Alert, AlertCheck
from budget.engine import live_settings
from budget.engine.alerts import passing, resolving, rows, runaway, settings
from budget.engine.alerts.passing import Where
from budget.engine.alerts.resolving import Now, Over
from budget.engine.alerts.runaway import Runaway
from budget.engine.background import Again
from budget.engine.balances import chunks
from budget.engine.batch import Batch
from budget.engine.books import Books
from budget.engine.snapshots import snapshot

ROUND_SECONDS: Final = 30.0
MAX_HEADS: Final = 5_000
"""Balances that one round looks at."""
MAX_ALERTS: Final = 500
"""Alerts that one round looks at."""
MAX_OVER: Final = 4_000
"""Alerts that one look resolves at most; the next finds the rest."""


class Found(NamedTuple):
    """What a look has found: heads to alert of, runaways, and alerts that are over."""

    head_ids: Sequence[int] = ()
    runaways: Sequence[Runaway] = ()
    over: Sequence[Over] = ()


class Places(NamedTuple):
    """How far rounds have come: the last head, the last alert."""

    head_id: int = -1
    alert: tuple[int, str] | None = None


def look(books: Books, where: Where = Where()) -> Found:  # noqa: B008 - it cannot change
    """Look at all balances of somewhere; everywhere at runaways too, and at what is over."""
    now_us, chosen = books.database.now_us(), settings.of(live_settings.read_all(books.database))
    with snapshot(books.database) as connection:
        head_ids = _all_unalerted(connection, where, now_us, chosen.off)
        if not where.everywhere:
            return Found(head_ids)
        now = Now(connection, books.prices, chosen, now_us)
        return Found(head_ids, _new_runaways(now), _all_over(now))


def look_on(books: Books, places: Places) -> tuple[Found, Places]:
    """Look at the next balances and alerts after those of the round before, and at runaways."""
    now_us, chosen = books.database.now_us(), settings.of(live_settings.read_all(books.database))
    with snapshot(books.database) as connection:
        head_ids: list[int] = []
        last_id = passing.ids_after(connection, places.head_id, MAX_HEADS)
        if last_id is not None:
            head_ids = passing.unalerted(
                connection, Where(), now_us, chosen.off, places.head_id, last_id
            )
        now = Now(connection, books.prices, chosen, now_us)
        live = resolving.live_after(connection, places.alert, MAX_ALERTS)
        found = Found(head_ids, _new_runaways(now), resolving.over(now, live))
    last = (live[-1].at_us, live[-1].alert_id) if len(live) == MAX_ALERTS else None
    return found, Places(-1 if last_id is None else last_id, last)


def carrying_out(found: Found) -> Callable[[Batch], AlertCheck]:
    """The change that raises and resolves what was found; the alerts that are new."""

    def change(batch: Batch) -> AlertCheck:
        resolved = resolving.resolve(batch, found.over)
        passing.raise_of(batch, found.head_ids)
        for one in found.runaways:
            batch.alert_subject(runaway.KIND, one.subject, one.detail)
        batch.write(())
        tried = [row[0] for row in batch.changes.alerts]
        return AlertCheck(_those_there(batch, tried), resolved)

    return change


def round_on(books: Books, places: Places) -> Places:
    """One round: look on, and carry out what was found."""
    found, after = look_on(books, places)
    if any(found):
        books.ledger.do_change(carrying_out(found))
    return after


def _all_unalerted(
    connection: Connection, where: Where, now_us: int, off: Sequence[str]
) -> list[int]:
    """The heads to alert of, looked for in parts that memory can hold."""
    found: list[int] = []
    after = -1
    while len(found) < passing.MAX_FOUND:
        last = passing.ids_after(connection, after, MAX_HEADS)
        if last is None:
            break
        found += passing.unalerted(connection, where, now_us, off, after, last)
        after = last
    return found[: passing.MAX_FOUND]


def _all_over(now: Now) -> list[Over]:
    found: list[Over] = []
    after = None
    while len(found) < MAX_OVER:
        live = resolving.live_after(now.connection, after, MAX_ALERTS)
        found += resolving.over(now, live)
        if len(live) < MAX_ALERTS:
            break
        after = live[-1].at_us, live[-1].alert_id
    return found


def _new_runaways(now: Now) -> list[Runaway]:
    if runaway.KIND in now.settings.off:
        return []
    found = runaway.runaways(now.connection, now.settings, now.now_us)
    told = passing.subjects_told(now.connection, runaway.KIND, now.now_us)
    return [one for one in found if one.subject not in told]


def _those_there(batch: Batch, alert_ids: Sequence[str]) -> list[Alert]:
    """The alerts with these ids: those that nobody had raised before."""
    there = []
    for some in chunks(alert_ids):
        wanted = rows.ALERTS.where(rows.table.c.id.in_(some)).order_by(rows.table.c.id)
        there += [rows.from_row(row) for row in batch.unit.execute(wanted)]
    return there


def watcher(books: Books, every_seconds: float = ROUND_SECONDS) -> Again:
    """Looks every 30 seconds until it is closed; what cannot be looked at now is later."""
    places = Places()

    def look_again(stopped: threading.Event) -> None:
        nonlocal places
        if not stopped.is_set():
            places = round_on(books, places)

    return Again("alerts", every_seconds, look_again)

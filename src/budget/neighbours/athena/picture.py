"""A picture of the books for the graph of spend: values, read in a thread, with what need not be
read twice kept between pictures.

Not here: what becomes of it (`graph`).
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, func, or_, select

from budget.domain.answers_alerts import Alert
from budget.domain.answers_usage import Figures
from budget.domain.attributes import ROLLED_UP
from budget.domain.budgets import Budget, Unit
from budget.domain.windows import Window
from budget.engine import origins
from budget.engine.alerts import rows
from budget.engine.balances import chunks, read_budgets
from budget.engine.books import Books
from budget.engine.catalogue import Catalogue
from budget.engine.reports.filters import Calls
from budget.engine.rows import DAY_US
from budget.engine.snapshots import snapshot
from budget.engine.summing import Sums
from budget.storage import schema

DAYS: Final = 30
"""Usage is told of so many UTC days, the current one among them; so are alerts that are over."""
MAX_ALERTS: Final = 1000
MAX_CAUSES: Final = 5
"""How many components, and how many models, are told to explain an alert."""

_CAUSE: Final = ("component", "model", "provider")
_heads, _alerts = schema.heads.c, rows.table.c


class Stand(NamedTuple):
    """How a policy stands: its balances of now, together; of a rolling one as its last calls left
    them.
    """

    spent: int = 0
    reserved: int = 0
    assumed: int = 0
    balances: int = 0


class Cause(NamedTuple):
    """A component (model) that explains an alert, and the model (component) it most did so with."""

    of: Literal["component", "model"]
    component: str
    model: str
    provider: str
    amount: int
    share_bps: int
    rank: int


class ToldAlert(NamedTuple):
    """An alert, its sentence, and what explains it, in `unit`."""

    alert: Alert
    message: str
    unit: Unit
    causes: tuple[Cause, ...]


class Picture(NamedTuple):
    """What the graph is made of. Usage is that since `since_us`: `spends` by component, model and
    provider, `funded` by budget and component.
    """

    since_us: int
    budgets: Sequence[Budget]
    standing: Mapping[str, Stand]
    spends: Mapping[tuple[str, str, str], Figures]
    funded: Mapping[tuple[str, str], Figures]
    alerts: Sequence[ToldAlert]


class _Used(NamedTuple):
    """What changes with every call, and is read less often than the rest."""

    since_us: int
    standing: Mapping[str, Stand]
    spends: Mapping[tuple[str, str, str], Figures]
    funded: Mapping[tuple[str, str], Figures]


class Painter:
    """Takes pictures of open books, one after another."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._catalogue = Catalogue(-1, ())
        self._used: _Used | None = None
        self._causes: dict[str, tuple[Unit, tuple[Cause, ...]]] = {}

    def picture(self, *, usage: bool) -> Picture:
        """The books as they are now; without `usage`, what was used as in the picture before."""
        now_us = self._books.database.now_us()
        since_us = now_us - now_us % DAY_US - (DAYS - 1) * DAY_US
        with snapshot(self._books.database) as connection:
            self._read_catalogue(connection)
            if usage or self._used is None:
                self._used = self._read_usage(connection, Window(since_us, now_us + 1))
            alerts = _read_alerts(connection, since_us)
        self._read_causes(alerts)
        live = [one for one in self._catalogue.budgets.values() if one.archived_us is None]
        told = [
            ToldAlert(one, _message(one), *self._causes[one.alert_id])
            for one in alerts
        ]  # fmt: skip
        used = self._used
        return Picture(used.since_us, live, used.standing, used.spends, used.funded, told)

    def _read_catalogue(self, connection: Connection) -> None:
        version = connection.scalar(select(schema.state.c.catalogue_version))
        if version != self._catalogue.version:
            found = map(tuple, connection.execute(select(schema.budgets)))
            self._catalogue = Catalogue(version or 0, read_budgets(connection, found))

    def _read_usage(self, connection: Connection, window: Window) -> _Used:
        limited = {
            one.key for budget in self._catalogue.budgets.values() for one in budget.scope
        } & set(ROLLED_UP)  # fmt: skip
        keys = (*_CAUSE, *sorted(limited - set(_CAUSE)))
        spends: dict[tuple[str, str, str], Figures] = defaultdict(Figures)
        funded: dict[tuple[str, str], Figures] = defaultdict(Figures)
        for values, used in Sums(connection, Calls()).by(keys, window):
            component, model, provider = values[:3]
            spends[component, model, provider] = spends[component, model, provider].plus(used)
            attributes = {key: one for key, one in zip(keys, values, strict=True) if one}
            for budget in self._catalogue.match(attributes).budgets:
                pair = budget.budget_id, component
                funded[pair] = funded[pair].plus(used)
        return _Used(window.start_us, _read_standing(connection, window.end_us), spends, funded)

    def _read_causes(self, alerts: Sequence[Alert]) -> None:
        """What explains alerts, of each once: it lies before them, so it does not change."""
        there = {one.alert_id for one in alerts}
        self._causes = {key: one for key, one in self._causes.items() if key in there}
        for some in chunks(one for one in alerts if one.alert_id not in self._causes):
            with snapshot(self._books.database) as connection:
                for alert in some:
                    self._causes[alert.alert_id] = _causes_of(connection, alert)


def _read_standing(connection: Connection, now_us: int) -> dict[str, Stand]:
    sums = [func.sum(_heads[name]) for name in ("spent", "reserved", "assumed")]
    wanted = (
        select(_heads.policy_id, *sums, func.count())
        .where(or_(_heads.end_us > now_us, _heads.end_us == 0))
        .group_by(_heads.policy_id)
    )
    return {row[0]: Stand(*map(int, row[1:])) for row in connection.execute(wanted)}


def _read_alerts(connection: Connection, since_us: int) -> list[Alert]:
    live = _alerts.resolved_us.is_(None) & _alerts.dismissed_us.is_(None)
    wanted = rows.ALERTS.where(or_(_alerts.at_us >= since_us, live))
    newest = wanted.order_by(_alerts.at_us.desc(), _alerts.id.desc()).limit(MAX_ALERTS)
    return [rows.from_row(tuple(row)) for row in connection.execute(newest)]


def _message(alert: Alert) -> str:
    told: Any = json.loads(alert.detail).get("message")
    return str(told or f"{alert.kind}: {alert.partition}")


def _causes_of(connection: Connection, alert: Alert) -> tuple[Unit, tuple[Cause, ...]]:
    unit, spent = origins.spent_before(connection, alert, _CAUSE)
    whole = origins.in_unit(origins.sum_of(spent.values()), unit)
    found: list[Cause] = []
    kinds: tuple[Literal["component", "model"], ...] = ("component", "model")
    for place, kind in enumerate(kinds):
        ranked = origins.ranked(origins.folded(spent, (place,)), unit)[:MAX_CAUSES]
        for rank, ((value,), figures) in enumerate(ranked, 1):
            own = {values: one for values, one in spent.items() if values[place] == value}
            (component, model, provider), _ = origins.ranked(own, unit)[0]
            amount = origins.in_unit(figures, unit)
            share_bps = origins.share_bps(amount, whole)
            found.append(Cause(kind, component, model, provider, amount, share_bps, rank))
    return unit, tuple(found)

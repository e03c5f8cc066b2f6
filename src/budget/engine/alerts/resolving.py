"""Resolving: which alerts are over, and why; they say so by an entry of their own.

An alert of a threshold is over when its window has ended or the threshold is no longer passed, as
when the limit was raised; one of assumed holds when there are none; one of a price when there is
one, or somebody decided. Not here: raising them, and people's word on them (`acts`).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, or_, select, tuple_, update

from budget.domain.alerts import OF_POLICIES
from budget.domain.answers_alerts import Alert, AlertSettings
from budget.domain.balances import Balance
from budget.domain.money import parse_usd
from budget.engine.alerts import passing, rows, runaway
from budget.engine.alerts.acts import enter
from budget.engine.balances import chunks, read_policies
from budget.engine.batch import Batch
from budget.engine.rows import DAY_US, balance_from_row
from budget.prices.book import PriceBook
from budget.storage import schema
from budget.storage.unit import HEAD_COLUMNS

_alerts, _heads, _windows = rows.table.c, schema.heads.c, schema.windows.c
_LIVE: Final = _alerts.resolved_us.is_(None) & _alerts.dismissed_us.is_(None)


class Over(NamedTuple):
    """An alert that is over, and why."""

    alert_id: str
    why: str


class Now(NamedTuple):
    """What alerts are held against."""

    connection: Connection
    prices: PriceBook
    settings: AlertSettings
    now_us: int


def live_after(connection: Connection, after: tuple[int, str] | None, most: int) -> list[Alert]:
    """The next alerts that are not over, by age, after one (at_us, id)."""
    wanted = rows.ALERTS.where(_LIVE).order_by(_alerts.at_us, _alerts.id).limit(most)
    if after is not None:
        at_us, alert_id = after
        later = and_(_alerts.at_us == at_us, _alerts.id > alert_id)
        wanted = wanted.where(or_(_alerts.at_us > at_us, later))
    return [rows.from_row(tuple(row)) for row in connection.execute(wanted)]


def over(now: Now, alerts: Sequence[Alert]) -> list[Over]:
    """Which of these are over."""
    of_policies = [alert for alert in alerts if alert.kind in OF_POLICIES]
    others = [alert for alert in alerts if alert.kind not in OF_POLICIES]
    found = [*_over_of_policies(now, of_policies), *_over_of_subjects(now, others)]
    return [Over(alert_id, why) for alert_id, why in found if why is not None]


def resolve(batch: Batch, found: Sequence[Over]) -> int:
    """Write that these are over, in the transaction of a change; how many were not before."""
    why, done = dict(found), 0
    for some in chunks(why):
        wanted = rows.ALERTS.where(_alerts.id.in_(some), _LIVE).order_by(_alerts.at_us, _alerts.id)
        still = [rows.from_row(row) for row in batch.unit.execute(wanted)]
        ids = [alert.alert_id for alert in still]
        values = {"resolved_us": batch.now_us}
        batch.unit.execute(update(rows.table).where(_alerts.id.in_(ids)).values(values))
        for alert in still:
            enter(batch, "alert_resolved", "budget", alert, {"why": why[alert.alert_id]})
        done += len(ids)
    return done


# --- Of policies ---------------------------------------------------------------------------------


def _over_of_policies(now: Now, alerts: Sequence[Alert]) -> Iterable[tuple[str, str | None]]:
    policies = read_policies(now.connection, {alert.policy_id for alert in alerts})
    gone = _archived_budgets(now.connection, {policy.budget_id for policy in policies.values()})
    balances = _balances(now, {(a.policy_id, a.partition) for a in alerts}, policies)
    assumed = _assumed_in_closed_windows(now, alerts, balances)
    for alert in alerts:
        balance = balances.get((alert.policy_id, alert.partition))
        if balance is None:
            continue
        policy = balance.policy
        if alert.kind == "assumed":
            left = assumed.get(alert.alert_id, balance.assumed)
            yield alert.alert_id, None if left else "nothing is assumed any more"
        elif policy.archived_us is not None or policy.budget_id in gone:
            yield alert.alert_id, "the policy is no longer in force"
        else:
            yield alert.alert_id, _why(alert, balance, now.now_us)


def _why(alert: Alert, balance: Balance, now_us: int) -> str | None:
    """Why an alert of a policy in force is over, or None."""
    then = json.loads(alert.detail)
    policy, window_us = balance.policy, balance.start_us
    if policy.rolling:
        length_us = policy.calendar.period.length_us
        window_us = alert.window_us if now_us < alert.window_us + length_us else -1
    elsewhere = window_us != alert.window_us
    if elsewhere and not policy.rolling:
        return "the window has ended"
    raised = balance.limit > then["limit"]
    used_then = then["spent"] + then["assumed"]
    if alert.kind in ("warning", "action") or (
        alert.kind == "limit" and used_then >= then["limit"]
    ):
        if alert.kind in balance.crossed(0):
            return None
        return "the limit was raised" if raised else "less is spent than the threshold"
    if alert.kind == passing.SOON:
        return _why_not_soon(balance, now_us)
    if elsewhere and balance.total <= balance.limit:
        return "the window has ended"
    if alert.kind != "unreserved" and raised and balance.total <= balance.limit:
        return "the limit was raised"
    return None


def _why_not_soon(balance: Balance, now_us: int) -> str | None:
    if passing.soon_us_of(balance, now_us) is not None:
        return None
    if balance.spent + balance.assumed >= balance.limit:
        return "the limit is reached"
    return "at this pace the limit lasts"


def _balances(
    now: Now, pairs: Iterable[tuple[str, str]], policies: Mapping[str, Any]
) -> dict[tuple[str, str], Balance]:
    found = {}
    columns = [_heads[name] for name in HEAD_COLUMNS]
    for some in chunks(pairs):
        of = tuple_(_heads.policy_id, _heads.partition).in_(some)
        for row in now.connection.execute(select(*columns).where(of)):
            if row[1] in policies:
                balance = balance_from_row(tuple(row), policies[row[1]])
                balance.open(now.now_us)
                found[row[1], row[2]] = balance
    return found


def _assumed_in_closed_windows(
    now: Now, alerts: Iterable[Alert], balances: Mapping[tuple[str, str], Balance]
) -> dict[str, int]:
    """What is still assumed in the windows of alerts about it that have closed."""
    closed: dict[tuple[int, int], str] = {}
    left: dict[str, int] = {}
    for alert in alerts:
        balance = balances.get((alert.policy_id, alert.partition))
        if alert.kind != "assumed" or balance is None or balance.policy.rolling:
            continue
        if alert.window_us != balance.start_us:
            cell = balance.cells.get(alert.window_us)  # one that only looking has closed
            left[alert.alert_id] = 0 if cell is None else cell.assumed
            if cell is None:
                closed[balance.id, alert.window_us] = alert.alert_id
    columns = (_windows.head_id, _windows.start_us, _windows.assumed)
    for some in chunks(closed):
        of = tuple_(_windows.head_id, _windows.start_us).in_(some)
        for head_id, start_us, assumed in now.connection.execute(select(*columns).where(of)):
            left[closed[head_id, start_us]] = assumed
    return left


def _archived_budgets(connection: Connection, budget_ids: Iterable[str]) -> set[str]:
    of = schema.budgets.c
    found: set[str] = set()
    for some in chunks(budget_ids):
        wanted = select(of.budget_id).where(of.budget_id.in_(some), of.archived_us.is_not(None))
        found.update(connection.scalars(wanted))
    return found


# --- Of anything else ----------------------------------------------------------------------------


def _over_of_subjects(now: Now, alerts: Iterable[Alert]) -> Iterable[tuple[str, str | None]]:
    for alert in alerts:
        why = _WHY.get(alert.kind, _after_a_day)
        yield alert.alert_id, why(now, alert)


def _after_a_day(now: Now, alert: Alert) -> str | None:
    return "a day has passed" if now.now_us >= alert.at_us + DAY_US else None


def _priced(now: Now, alert: Alert) -> str | None:
    detail = json.loads(alert.detail)
    if not alert.partition or detail.get("units"):
        return _after_a_day(now, alert)
    provider = now.connection.scalar(
        select(schema.usage.c.provider).where(schema.usage.c.id == detail.get("usage_id"))
    )
    rates = now.prices.lookup(provider, alert.partition, now.now_us)
    return None if rates is None else "the model has a price now"


def _decided(now: Now, alert: Alert) -> str | None:
    provider, slash, model = alert.partition.partition("/")
    update_, snapshot = schema.price_updates.c, schema.price_snapshots.c
    waits = update_.source == alert.partition
    if slash:
        waits = (update_.provider == provider) & (update_.model == model)
    ids = select(update_.id).where(waits, update_.status == "quarantined").limit(1)
    bases = select(snapshot.basis).where(
        snapshot.source == alert.partition, snapshot.status == "quarantined"
    )
    if now.connection.scalar(ids) is None and now.connection.scalar(bases.limit(1)) is None:
        return "it was decided"
    return None


def _normal(now: Now, alert: Alert) -> str | None:
    of, _, name = alert.partition.partition(":")
    usual = parse_usd(json.loads(alert.detail)["usual"], "usual")
    spent = runaway.spent_lately(now.connection, of, now.now_us, names=[name]).get(name, 0)
    least = max(now.settings.runaway_floor_nanos, usual * now.settings.runaway_factor)
    return "the rate is usual again" if spent < least else None


_WHY: Final[Mapping[str, Callable[[Now, Alert], str | None]]] = {
    "unpriced": _priced,
    "price_quarantined": _decided,
    runaway.KIND: _normal,
}

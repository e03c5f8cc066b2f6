"""Origins: what an alert came from: who spent what of its limit before it was raised.

Figures are those of the usage records that its policy's partition met from the beginning of its
window to the alert, or, of an alert about no policy, those of its subject. Not here: why one call
was decided so (`explaining`), and what a knowledge graph adds (`neighbours.athena`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from budget.domain.answers_alerts import Alert
from budget.domain.answers_origins import Origin, Spender, Waypoint
from budget.domain.answers_usage import Figures
from budget.domain.attributes import Condition, Scope
from budget.domain.budgets import BPS, Budget, Policy, Unit
from budget.domain.entities import ANOMALIES, RelationType, entity_id, named
from budget.domain.rights import UNBOUND, Bound
from budget.domain.windows import Window
from budget.domain.wire.parts import partition_of
from budget.engine.alerts.reports import alert as read_alert
from budget.engine.alerts.runaway import FIVE_US
from budget.engine.balances import budgets_named, read_policies
from budget.engine.books import Books
from budget.engine.reports.filters import Calls
from budget.engine.snapshots import snapshot
from budget.engine.summing import Sums
from budget.storage import schema

SPENT_BY: Final = ("component", "model", "provider", "agent", "key")
"""By what it is told who spent, each by itself; and by session, which rollups do not have."""
MAX_SPENDERS: Final = 10
MAX_RECORDS: Final = 250_000
"""Of more usage records sessions are not told: each record would have to be read."""
MINUTE_US: Final = 60_000_000
_e = schema.entries.c


class Meant(NamedTuple):
    """Which usage an alert is about: of what time, by which calls; they have none of `missing`."""

    window: Window
    scope: Scope
    missing: tuple[str, ...] = ()


def origin(books: Books, alert_id: str, bound: Bound = UNBOUND) -> Origin:
    """What an alert came from; NotFound, for what the caller may not know of too."""
    alert = read_alert(books, alert_id, bound)
    with snapshot(books.database) as connection:
        policy, budget = _policy_of(connection, alert)
        meant = meant_by(connection, alert, policy, budget)
        spent = _by(connection, meant, bound, SPENT_BY)
        total = sum_of(spent.values())
        few = total.records <= MAX_RECORDS
        sessions = _by(connection, meant, bound, ("session",)) if few else {}
    unit: Unit = "usd" if policy is None else policy.unit
    by = {key: spenders(folded(spent, (place,)), unit, total) for place, key in enumerate(SPENT_BY)}
    by["session"] = spenders(sessions, unit, total)
    return Origin(
        alert, None if budget is None else budget.name, unit,
        None if meant is None else meant.window, in_unit(total, unit), total.requests,
        total.cost_nanos, by, _way(alert, policy, budget, cause(folded(spent, (0, 1, 2)), unit)),
    )  # fmt: skip


def spent_before(connection: Connection, alert: Alert, keys: Sequence[str]) -> tuple[Unit, "Spent"]:
    """What an alert came from, by some attributes together, and the unit that it counts in."""
    policy, budget = _policy_of(connection, alert)
    meant = meant_by(connection, alert, policy, budget)
    return "usd" if policy is None else policy.unit, _by(connection, meant, UNBOUND, keys)


# --- What an alert is about ----------------------------------------------------------------------


def _policy_of(connection: Connection, alert: Alert) -> tuple[Policy | None, Budget | None]:
    if not alert.policy_id:
        return None, None
    policy = read_policies(connection, [alert.policy_id])[alert.policy_id]
    return policy, budgets_named(connection, [policy.budget_id])[policy.budget_id]


def meant_by(
    connection: Connection, alert: Alert, policy: Policy | None, budget: Budget | None
) -> Meant | None:
    """The usage that an alert is about; None: there is none, as of a channel that fails."""
    until_us = alert.at_us + 1
    if policy is None or budget is None:
        return _of_subject(alert, until_us)
    parts = partition_of(alert.partition)
    if policy.rolling:
        window = Window(until_us - policy.calendar.period.length_us, until_us)
    else:
        since_us = policy.window_of(alert.partition, alert.window_us).start_us
        if policy.created_us > since_us and not _backfilled(connection, policy):
            since_us = policy.created_us
        window = Window(max(0, since_us), until_us)
    conditions = tuple(
        Condition(key, frozenset({value}), ()) for key, value in parts.items() if value is not None
    )
    missing = tuple(key for key, value in parts.items() if value is None)
    return Meant(window, (*budget.scope, *conditions), missing)


def _of_subject(alert: Alert, until_us: int) -> Meant | None:
    """Of an alert about no policy: the calls of its subject, in the time that its kind is about."""
    subject = alert.partition
    of, _, name = subject.partition(":")
    if alert.kind in ANOMALIES and of in ("key", "session"):
        before_us = FIVE_US if alert.kind == "runaway" else MINUTE_US
        window = Window(max(0, until_us - before_us), until_us)
        return Meant(window, (Condition(of, frozenset({name}), ()),))
    if alert.kind not in ("unpriced", "cost_differs", "price_quarantined"):
        return None
    window = Window(min(alert.window_us, alert.at_us), until_us)
    if not subject:
        return Meant(window, (), ("model",))
    return Meant(window, (Condition("model", frozenset({subject}), ()),))


def _backfilled(connection: Connection, policy: Policy) -> bool:
    """Whether what had been used before there was this policy was posted to it."""
    wanted = select(_e.id).where(_e.kind == "backfilled", _e.policy_id == policy.policy_id)
    return connection.execute(wanted.limit(1)).first() is not None


# --- Who spent -----------------------------------------------------------------------------------

Spent = Mapping[tuple[str, ...], Figures]
"""What calls used, by their values of some attributes."""


def _by(connection: Connection, meant: Meant | None, bound: Bound, keys: Sequence[str]) -> Spent:
    if meant is None:
        return {}
    sums = Sums(connection, Calls(meant.scope, bound))
    wanted = (*(key for key in meant.missing if key not in keys), *keys)
    must_miss = [wanted.index(key) for key in meant.missing]
    found: dict[tuple[str, ...], Figures] = {}
    for values, figures in sums.by(wanted, meant.window):
        if not any(values[place] for place in must_miss):
            found[tuple(values[-len(keys) :])] = figures
    return found


def folded(spent: Spent, places: Sequence[int]) -> Spent:
    """The same by fewer attributes: those at these places."""
    found: dict[tuple[str, ...], Figures] = defaultdict(Figures)
    for values, figures in spent.items():
        some = tuple(values[place] for place in places)
        found[some] = found[some].plus(figures)
    return found


def sum_of(figures: Iterable[Figures]) -> Figures:
    """All of it."""
    total = Figures()
    for one in figures:
        total = total.plus(one)
    return total


def in_unit(figures: Figures, unit: Unit) -> int:
    """Usage in the unit of a policy."""
    match unit:
        case "usd":
            return figures.cost_nanos
        case "tokens":
            return figures.input_tokens + figures.output_tokens
        case "input_tokens":
            return figures.input_tokens
        case "output_tokens":
            return figures.output_tokens
        case _:
            return figures.requests


def spenders(spent: Spent, unit: Unit, total: Figures) -> tuple[Spender, ...]:
    """The greatest spenders, the first one first; none where no call says the attribute."""
    if not any(values[0] for values in spent):
        return ()
    whole = in_unit(total, unit)
    return tuple(
        Spender(
            values[0], in_unit(figures, unit), figures.requests, figures.cost_nanos,
            share_bps(in_unit(figures, unit), whole),
        )
        for values, figures in ranked(spent, unit)[:MAX_SPENDERS]
    )  # fmt: skip


def ranked(spent: Spent, unit: Unit) -> list[tuple[tuple[str, ...], Figures]]:
    """Who used most first; of those who used the same, by name."""
    return sorted(spent.items(), key=lambda one: (-in_unit(one[1], unit), one[0]))


def share_bps(part: int, whole: int) -> int:
    """A part of a whole; corrections may make one less than nothing, or more than all."""
    return min(BPS, max(0, part * BPS // whole)) if whole > 0 else 0


def cause(spent: Spent, unit: Unit) -> tuple[str, ...] | None:
    """The component that used most, and the model and provider that it used most of."""
    components = ranked(folded(spent, (0,)), unit)
    if not components:
        return None
    (greatest,) = components[0][0]
    return ranked({key: one for key, one in spent.items() if key[0] == greatest}, unit)[0][0]


def _way(
    alert: Alert, policy: Policy | None, budget: Budget | None, cause: tuple[str, ...] | None
) -> tuple[Waypoint, ...]:
    """From the alert to what caused it."""
    way = [Waypoint(entity_id("alert", alert.alert_id), "alert", alert.kind)]
    if policy is not None and budget is not None:
        text = f"{policy.calendar.period.text} {policy.unit} {policy.enforcement}"
        way += [
            Waypoint(entity_id("policy", policy.policy_id), "policy", text, "raised"),
            Waypoint(entity_id("budget", budget.budget_id), "budget", budget.name, "governed_by"),
        ]
    elif alert.kind in ANOMALIES:
        anomaly = entity_id("anomaly", alert.alert_id)
        way.append(Waypoint(anomaly, "anomaly", f"{alert.kind} of {alert.partition}", "explains"))
    if cause is not None:
        component, model, provider = cause
        how: RelationType = "explains" if budget is None else "funds"
        way += [
            Waypoint(entity_id("component", component), "component",
                     named("component", component), how),
            Waypoint(entity_id("model", model), "model", named("model", model), "spends_on"),
        ]  # fmt: skip
        if provider:
            way.append(
                Waypoint(entity_id("provider", provider), "provider", provider, "offered_by")
            )
    return tuple(way)

"""Summaries: what usage adds up to in a time, by attributes and by parts of the time.

Not here: where the figures are read from (`summing`), and how budgets stand (`standings`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from budget.domain.answers_usage import Bucket, Figures, Group, UsageSummary
from budget.domain.asks_reading import SummaryAsk
from budget.domain.attributes import Scope, parse_key, parse_scope
from budget.domain.errors import InvalidInput
from budget.domain.rights import UNBOUND, Bound
from budget.domain.windows import Calendar, Window, parse_period, parse_zone, window_at
from budget.engine.fields import only_fields
from budget.engine.past import span
from budget.engine.reports.budgets import budget_of
from budget.engine.reports.filters import Calls
from budget.engine.snapshots import snapshot
from budget.engine.summing import Sums
from budget.storage.database import Database

MAX_GROUPS: Final = 1000
MAX_BUCKETS: Final = 1000
MAX_CELLS: Final = 50_000
"""How many figures groups and buckets may make together; the dearest groups are shown."""
MAX_KEYS: Final = 8
PERIODS: Final = ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "total")
BUCKETS: Final[Mapping[str, str]] = {
    "hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly",
}  # fmt: skip
USUAL: Final = ("provider", "model", "component", "task_type")
"""What usage is grouped by, each by itself, where nobody says by what."""

_NAMED: Final[Mapping[str, str]] = {
    "provider": "provider", "model": "model", "component": "component", "task_type": "task_type",
    "tier": "tier", "context_id": "session", "user_id": "user",
}  # fmt: skip


_FIELDS: Final = frozenset(SummaryAsk.__annotations__)


class Asked(NamedTuple):
    """What a summary was asked for, checked."""

    window: Window
    period: str | None
    zone: str
    group_by: tuple[str, ...]
    bucket: str | None
    windows: tuple[Window, ...]
    budget_id: str | None
    scope: Scope


def parse_summary(ask: Mapping[str, Any], now_us: int) -> Asked:
    """What is asked for; the 30 days up to now unless the ask says so."""
    only_fields(ask, _FIELDS)
    asked = {name: value for name, value in ask.items() if value is not None}
    zone = parse_zone(asked["timezone"]) if "timezone" in asked else "UTC"
    window, period = _window(asked, zone, now_us)
    bucket = asked.get("bucket")
    if bucket is not None and bucket not in BUCKETS:
        raise InvalidInput("bucket", f"{str(bucket)[:80]!r} is not known.", tuple(BUCKETS))
    budget_id = asked.get("budget_id")
    if budget_id is not None and not isinstance(budget_id, str):
        raise InvalidInput("budget_id", "must be the id of a budget.")
    return Asked(
        window,
        period,
        zone,
        _keys(asked.get("group_by")),
        bucket,
        () if bucket is None else tuple(_cut(window, bucket, zone)),
        budget_id,
        _scope(asked),
    )


def summary(database: Database, asked: Asked, bound: Bound = UNBOUND) -> UsageSummary:
    """What the usage that was asked for adds up to; NotFound for a budget that is not seen."""
    with snapshot(database) as connection:
        scope = asked.scope
        if asked.budget_id is not None:
            scope = (*scope, *budget_of(connection, asked.budget_id, bound).scope)
        sums = Sums(connection, Calls(scope, bound))
        total = sums.total(asked.window)
        groups, by = _groups(sums, asked)
        buckets, groups = _buckets(sums, asked, groups)
    other = None
    if asked.group_by:
        rest = total
        for group in groups:
            rest = rest.minus(group.figures)
        other = rest if any(rest) else None
    return UsageSummary(
        asked.window, asked.period, asked.zone, total, asked.group_by, groups, other, by,
        asked.bucket, buckets,
    )  # fmt: skip


def _groups(sums: Sums, asked: Asked) -> tuple[tuple[Group, ...], dict[str, tuple[Group, ...]]]:
    """The dearest groups; and without `group_by`, by each of the usual attributes."""
    if not asked.group_by:
        return (), {key: _dearest(sums, (key,), asked.window, MAX_GROUPS) for key in USUAL}
    most = min(MAX_GROUPS, max(1, MAX_CELLS // max(1, len(asked.windows))))
    return _dearest(sums, asked.group_by, asked.window, most), {}


def _dearest(sums: Sums, keys: Sequence[str], window: Window, most: int) -> tuple[Group, ...]:
    return tuple(Group(values, figures) for values, figures in sums.by(keys, window, most))


def _buckets(
    sums: Sums, asked: Asked, groups: tuple[Group, ...]
) -> tuple[tuple[Bucket, ...], tuple[Group, ...]]:
    """The parts of the time, and the groups with theirs."""
    if not groups:
        return tuple(Bucket(part, sums.total(part)) for part in asked.windows), groups
    parted: dict[tuple[str, ...], list[Figures]] = {group.values: [] for group in groups}
    buckets = []
    for part in asked.windows:
        total, other, found = Figures(), Figures(), {}
        for values, figures in sums.by(asked.group_by, part):
            total = total.plus(figures)
            if values in parted:
                found[values] = figures
            else:
                other = other.plus(figures)
        buckets.append(Bucket(part, total, other if any(other) else None))
        for values, figures_of in parted.items():
            figures_of.append(found.get(values, Figures()))
    if not asked.windows:
        return (), groups
    return tuple(buckets), tuple(
        group._replace(buckets=tuple(parted[group.values])) for group in groups
    )


# --- Reading -------------------------------------------------------------------------------------


def _window(asked: Mapping[str, Any], zone: str, now_us: int) -> tuple[Window, str | None]:
    named = dict(asked)
    for other, ours in (("start_time", "since"), ("end_time", "until")):
        if other in named:
            if ours in named:
                raise InvalidInput(ours, f"is given twice, as {other} too.")
            named[ours] = named.pop(other)
    period = asked.get("period")
    if period is None:
        return Window(*span(named, now_us)), None
    if period not in PERIODS:
        raise InvalidInput("period", f"{str(period)[:80]!r} is not known.", PERIODS)
    if "since" not in named and "until" not in named:
        return window_at(Calendar(parse_period(period), zone), now_us), period
    # As Tekton has it: times say of when, and the period is only told back.
    return Window(*span(named, now_us)), period


def _cut(window: Window, bucket: str, zone: str) -> list[Window]:
    """The window in calendar parts, the first and last perhaps shorter than the others."""
    calendar = Calendar(parse_period(BUCKETS[bucket]), zone)
    found: list[Window] = []
    at_us = window.start_us
    while at_us < window.end_us:
        if len(found) == MAX_BUCKETS:
            raise InvalidInput("bucket", f"would make more than {MAX_BUCKETS} parts of the time.")
        end_us = min(window_at(calendar, at_us).end_us, window.end_us)
        found.append(Window(at_us, end_us))
        at_us = end_us
    return found


def _keys(given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not 0 < len(names) <= MAX_KEYS:
        raise InvalidInput("group_by", f"must be a list of 1 to {MAX_KEYS} attributes.")
    keys = [
        parse_key(_NAMED.get(name, name) if isinstance(name, str) else name, "group_by")
        for name in names
    ]
    if len(set(keys)) != len(keys):
        raise InvalidInput("group_by", "names an attribute twice.")
    return tuple(keys)


def _scope(asked: Mapping[str, Any]) -> Scope:
    scope = parse_scope(asked.get("scope"))
    named = {key: asked[name] for name, key in _NAMED.items() if name in asked}
    return (*scope, *parse_scope(named, "scope"))

"""Report sections: what a report says, as titled tables that any page can show.

Not here: reading it from the books (`report`), and pages (`report_pages`, `report_html`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from budget.cli.balance_words import mood, named, used_text
from budget.cli.refusals import Refused
from budget.cli.sparks import spark
from budget.cli.tables import Column, Row
from budget.domain.answers_alerts import Alert
from budget.domain.answers_usage import Figures, Standing, UsageSummary
from budget.domain.money import format_usd
from budget.domain.windows import Window
from budget.domain.wire.alerts import alert as alert_shape
from budget.domain.wire.parts import amount

TREND_CELLS: Final = 31


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report. `bars` are nanos of each row, where they make a picture."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    note: str = ""
    bars: tuple[int, ...] = ()


class Gathered(NamedTuple):
    """What was read of the books for a report."""

    window: Window
    zone: str
    bucket: str
    usage: UsageSummary
    before: Figures | None
    by: Mapping[str, UsageSummary]
    standings: Sequence[Standing]
    refusals: Sequence[Refused]
    alerts: Sequence[Alert]


def title(period: str, found: Gathered) -> str:
    """What the report is about."""
    start, end = (_moment(at_us, found.zone) for at_us in found.window)
    return f"Budget, {period} from {start} to {end} ({found.zone})"


def sections(found: Gathered, top: int) -> list[Section]:
    """The report: what was spent, against which limits, by whom, what was refused and alerted."""
    told = [_in_short(found), _limits(found), _trend(found)]
    for key, summary in found.by.items():
        if any(group.values[0] for group in summary.groups):
            told.append(_by(key, summary, top))
    return [*told, _refusals(found, top), _alerts(found, top)]


def _in_short(found: Gathered) -> Section:
    total, earlier = found.usage.total, found.before
    names = (
        ("Spend USD", "cost_nanos"), ("Requests", "requests"), ("Input tokens", "input_tokens"),
        ("Output tokens", "output_tokens"), ("Records without a price", "unpriced"),
    )  # fmt: skip
    rows = []
    for name, field in names:
        now, then = getattr(total, field), None if earlier is None else getattr(earlier, field)
        money = field == "cost_nanos"
        rows.append(Row((name, _number(now, money), _number(then, money), _change(now, then))))
    costs = [bucket.figures.cost_nanos for bucket in found.usage.buckets]
    return Section(
        f"Spend {_moment(found.window.start_us, found.zone)} to "
        f"{_moment(found.window.end_us, found.zone)} ({found.zone})",
        (
            Column(""), Column("This time", "amount"), Column("Before", "amount"),
            Column("Change %", "amount"),
        ),
        rows,
        f"Trend  {spark(costs, TREND_CELLS)}" if any(costs) else "",
    )  # fmt: skip


def _number(value: int | None, money: bool) -> str:
    if value is None:
        return "-"
    return format_usd(value) if money else str(value)


def _change(now: int, then: int | None) -> str:
    """How much more it is, in percent, to a tenth."""
    if not then:
        return "-"
    tenths = (now - then) * 1000 // then if now >= then else -((then - now) * 1000 // then)
    sign = "-" if tenths < 0 else "+"
    return f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10}"


def _limits(found: Gathered) -> Section:
    rows = []
    for standing in found.standings:
        view = standing.fullest
        if view is None:
            continue
        unit = view.policy.unit
        rows.append(
            Row(
                (
                    named(view), view.policy.period.text, unit, str(amount(view.spent, unit)),
                    str(amount(view.reserved + view.assumed, unit)), str(amount(view.limit, unit)),
                    used_text(view), view.policy.enforcement,
                ),
                mood(view),
            )
        )  # fmt: skip
    return Section(
        "Limits, as they stand now (of a split one its fullest part)",
        (
            Column("Budget", folds=True), Column("Period"), Column("Unit", rank=3),
            Column("Spent", "amount"), Column("Held", "amount", optional=True, rank=2),
            Column("Limit", "amount"), Column("Used %", "amount"), Column("Beyond it", rank=1),
        ),
        rows,
        "" if rows else "There is no limit. `budget set-limit daily 5.00` sets one.",
    )  # fmt: skip


def _trend(found: Gathered) -> Section:
    buckets = [one for one in found.usage.buckets if any(one.figures)]
    rows = [
        Row(
            (
                _moment(one.window.start_us, found.zone, hours=found.bucket == "hour"),
                str(one.figures.requests),
                str(one.figures.input_tokens + one.figures.output_tokens),
                format_usd(one.figures.cost_nanos),
            )
        )
        for one in buckets
    ]
    return Section(
        f"By {found.bucket}",
        (
            Column(found.bucket.capitalize()), Column("Requests", "amount"),
            Column("Tokens", "amount"), Column("Cost USD", "amount"),
        ),
        rows,
        "" if rows else "Nothing was used in this time.",
        tuple(one.figures.cost_nanos for one in found.usage.buckets),
    )  # fmt: skip


def _by(key: str, summary: UsageSummary, top: int) -> Section:
    shown = [(group.values[0] or "(none)", group.figures) for group in summary.groups[:top]]
    rest = summary.total
    for _, figures in shown:
        rest = rest.minus(figures)
    if any(rest):
        shown.append(("(others)", rest))
    rows = [
        Row(
            (
                name, str(figures.requests), str(figures.input_tokens + figures.output_tokens),
                format_usd(figures.cost_nanos),
                _share(figures.cost_nanos, summary.total.cost_nanos),
            )
        )
        for name, figures in shown
    ]  # fmt: skip
    return Section(
        f"By {key}",
        (
            Column(key.capitalize(), folds=True), Column("Requests", "amount", rank=1),
            Column("Tokens", "amount", rank=2), Column("Cost USD", "amount"),
            Column("Share %", "amount"),
        ),
        rows,
    )  # fmt: skip


def _share(part: int, whole: int) -> str:
    if whole <= 0:
        return "-"
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10}"


def _refusals(found: Gathered, top: int) -> Section:
    counted: Counter[tuple[str, str]] = Counter()
    names = {one.policy.policy_id: one.budget for one in found.standings}
    for one in found.refusals:
        who = " ".join(f"{key}={value}" for key, value in list(_who(one.attributes))[:2])
        counted[names.get(one.policy_id or "", "(an envelope)"), who] += one.times
    rows = [Row((budget, who, str(count))) for (budget, who), count in counted.most_common(top)]
    total = sum(counted.values())
    note = "Nothing was refused." if not total else f"{total:,} in all, counted for each limit."
    columns = (Column("Budget", folds=True), Column("Who", folds=True), Column("Times", "amount"))
    return Section("Refusals", columns, rows, note)


def _who(attributes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The attributes that tell most of who asked, first."""
    for key in ("user", "agent", "component", "team", "project", "model"):
        if key in attributes:
            yield key, attributes[key]


def _alerts(found: Gathered, top: int) -> Section:
    rows = []
    for one in found.alerts[:top]:
        told = alert_shape(one)
        row_mood = {"warning": "warn", "error": "over"}.get(one.severity, "")
        when = _moment(one.at_us, found.zone, hours=True)
        rows.append(Row((when, one.severity, told["message"], told["status"]), row_mood))
    more = len(found.alerts) - len(rows)
    note = f"{more:,} more: `budget alerts list` has them." if more > 0 else ""
    if not rows:
        note = "No alert was raised."
    columns = (Column("When"), Column("Severity", rank=1), Column("What", folds=True),
               Column("Status", rank=2))  # fmt: skip
    return Section("Alerts", columns, rows, note)


def _moment(at_us: int, zone: str, *, hours: bool = False) -> str:
    local = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    midnight = not (local.hour or local.minute) and not hours
    return f"{local:%Y-%m-%d}" if midnight else f"{local:%Y-%m-%d %H:%M}"

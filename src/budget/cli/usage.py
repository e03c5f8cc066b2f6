"""`budget get-usage`: what was used, by day (or hour, week, month), provider, model and component.

Not here: how that stands to limits (`status`, `report`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.spans import asked, last_days
from budget.cli.sparks import spark
from budget.cli.tables import Column, Row, show
from budget.cli.typed import parse_pairs, typed_as
from budget.domain.answers_usage import Figures, UsageSummary
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.windows import parse_zone

BUCKETS: Final = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}
GROUPS: Final = ("provider", "model", "component")
TREND_CELLS: Final = 14
MAX_HOURLY_DAYS: Final = 40

_COLUMNS: Final = (
    Column("Date"),
    Column("Provider", folds=True, rank=2),
    Column("Model", folds=True),
    Column("Component", folds=True, rank=1),
    Column("Requests", "amount", rank=4),
    Column("Input Tokens", "amount", rank=3),
    Column("Output Tokens", "amount", rank=3),
    Column("Total Cost", "amount"),
    Column("Trend", rank=5, pretty=True),
)


def get_usage(
    period: str,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    component: str | None = None,
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    days: int = 7,
    timezone: str = "UTC",
    format: Literal["table", "json"] = "table",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show what was used, by time, provider, model and component.

    Parameters
    ----------
    period:
        A row for each: hourly, daily, weekly or monthly.
    provider:
        Only calls to this provider.
    model:
        Only calls of this model.
    component:
        Only calls of this component.
    attribute:
        Only calls with this attribute, such as team=search; may be said several times.
    days:
        How many days, today with them.
    timezone:
        Where days begin and end, such as Europe/Berlin.
    format:
        A table, or the same as --json.
    """
    if period not in BUCKETS:
        raise InvalidInput("PERIOD", f"{period[:80]!r} is not one of those there are.", BUCKETS)
    if period == "hourly" and days > MAX_HOURLY_DAYS:
        raise InvalidInput("--days", f"may be {MAX_HOURLY_DAYS} at most by the hour.")
    zone = parse_zone(timezone, "--timezone")
    scope = parse_pairs(
        attribute, "--attribute", provider=provider, model=model, component=component
    )
    ask: dict[str, Any] = {**asked(last_days(days, zone)), "timezone": zone}
    with open_budget(face) as books, typed_as(bucket="PERIOD", scope="--attribute"):
        told = books.usage_summary(group_by=GROUPS, bucket=BUCKETS[period], scope=scope, **ask)
    if face.json or format == "json":
        from budget.domain.wire.usage import usage_summary

        face.print_json(usage_summary(told))
    elif any(told.total):
        show(face, _COLUMNS, [*_rows(told, period), _total_row(told)])
        if told.total.unpriced:
            face.note(f"Of {told.total.unpriced:,} no price is known: they are in no cost.")
    else:
        face.note("Nothing was used in this time. --days looks further back.")
    return exits.OK


def _rows(told: UsageSummary, period: str) -> Iterator[Row]:
    """A row for each part of the time and kind of call in which something was used."""
    for place, bucket in enumerate(told.buckets):
        when = date_text(bucket.window.start_us, told.zone, period)
        for group in told.groups:
            figures = group.buckets[place]
            if any(figures):
                costs = [one.cost_nanos for one in group.buckets[: place + 1]]
                yield _row((when, *group.values), figures, spark(costs[-TREND_CELLS:]))
        if bucket.other is not None:
            yield _row((when, "", "(others)", ""), bucket.other, "")


def _row(names: tuple[str, ...], figures: Figures, trend: str) -> Row:
    return Row(
        (
            *names,
            str(figures.requests),
            str(figures.input_tokens),
            str(figures.output_tokens),
            format_usd(figures.cost_nanos),
            trend,
        )
    )


def _total_row(told: UsageSummary) -> Row:
    costs = [bucket.figures.cost_nanos for bucket in told.buckets]
    return _row(("Total", "", "", ""), told.total, spark(costs, TREND_CELLS))


def date_text(at_us: int, zone: str, period: str) -> str:
    """The day that a part of the time begins with, with its hour where parts are hours."""
    local = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M}" if period == "hourly" else f"{local:%Y-%m-%d}"

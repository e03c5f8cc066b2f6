"""`budget status`: every balance of the current windows, as a table or as JSON."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from budget.cli.books import read_status
from budget.cli.face import Face
from budget.cli.tables import Column, Row, bar, show
from budget.cli.typed import parse_pairs
from budget.domain.shapes import BalanceShape
from budget.domain.windows import parse_period
from budget.domain.wire.balances import balance as shape

COLUMNS: Final = (
    Column("Budget", folds=True),
    Column("Partition", optional=True, folds=True),
    Column("Period"),
    Column("Unit"),
    Column("Spent", "amount"),
    Column("Reserved", "amount", rank=4),
    Column("Assumed", "amount", optional=True, rank=4),
    Column("Limit", "amount"),
    Column("Left", "amount", rank=3),
    Column("Used %", "amount", rank=1),
    Column("", rank=5, pretty=True),
    Column("Resets", rank=2),
)


def status(
    *,
    period: str | None = None,
    tier: str | None = None,
    provider: str | None = None,
    component: str | None = None,
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    format: Literal["table", "json"] = "table",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show every balance: spent, held, limit and what is left.

    With attributes, only the balances that calls with these attributes meet.

    Parameters
    ----------
    period:
        Only limits of this period, such as daily.
    tier:
        Only what calls of this tier meet.
    provider:
        Only what calls to this provider meet.
    component:
        Only what calls of this component meet.
    attribute:
        Only what calls with this attribute meet, such as team=search; may be said several times.
    format:
        table, or json, which is the same as --json.
    """
    wanted = None if period is None else parse_period(period, "--period").text
    asked = parse_pairs(attribute, "--attribute", tier=tier, provider=provider, component=component)
    balances = [
        shape(view)
        for view in read_status(face, asked)
        if wanted is None or view.policy.period.text == wanted
    ]
    if face.json or format == "json":
        face.print_json({"balances": balances})
    elif balances:
        show(face, COLUMNS, [_row(balance, face) for balance in balances])
    else:
        what = "balance to show" if wanted is None else f"{wanted} balance to show"
        face.note(f"No {what}. `budget set-limit {wanted or 'daily'} 5.00` sets a limit.")
    return 0


def partition_text(partition: dict[str, str | None]) -> str:
    """A partition in words: empty for the only one of a budget that is not split."""
    return " ".join(
        f"{key}={'(none)' if value is None else value}" for key, value in partition.items()
    )


def _row(balance: BalanceShape, face: Face) -> Row:
    # Cut, not rounded, as the fraction is: 100.0 is a limit that was reached.
    used = None if balance["used_fraction"] is None else float(balance["used_fraction"])
    return Row(
        (
            balance["budget"],
            partition_text(balance["partition"]),
            balance["period"],
            balance["unit"],
            str(balance["spent"]),
            str(balance["reserved"]),
            str(balance["assumed"]),
            str(balance["limit"]),
            str(balance["remaining"]),
            "-" if used is None else f"{int(used * 1000 + 1e-6) / 10:.1f}",
            "" if used is None else bar(used),
            resets_text(balance["resets_at"], pretty=face.pretty),
        ),
        mood(balance),
    )


def mood(balance: BalanceShape) -> str:
    """`over` when the limit is reached or was exceeded, `warn` from its warning threshold on."""
    used = balance["used_fraction"]
    if used is None:
        return ""
    if float(used) >= 1 or balance["overrun"] not in (0, "0.00"):
        return "over"
    return "warn" if float(used) >= float(balance["warning_threshold"]) else ""


def resets_text(resets_at: str | None, *, pretty: bool) -> str:
    """When a window ends: an instant for programs; for people the wait, and the day if far."""
    if resets_at is None:
        return "never"
    if not pretty:
        return resets_at
    at = datetime.fromisoformat(resets_at)
    minutes = max(0, int((at - datetime.now(UTC)).total_seconds() // 60))
    if minutes >= 2 * 24 * 60:
        return f"{at:%Y-%m-%d}, in {minutes // (24 * 60)} d"
    return f"in {minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"in {minutes} min"

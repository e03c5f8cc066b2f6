"""`budget alerts list`, `acknowledge` and `dismiss`: what people should see.

Not here: who is told, and how (channels are set over the API).
"""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from budget.cli.books import open_budget
from budget.cli.dates import past
from budget.cli.face import Face
from budget.cli.lists import gather, moment, note_rest, print_page
from budget.cli.naming import find_budget
from budget.cli.tables import Column, Row, show
from budget.cli.typed import typed_as
from budget.domain.alerts import SEVERITIES
from budget.domain.answers_alerts import STATUSES, Alert
from budget.domain.errors import InvalidInput
from budget.domain.wire.alerts import alert as in_json
from budget.domain.wire.alerts import changed_alert

_TYPED: Final = {
    "severity": "--severity", "status": "--status", "kind": "--kind", "type": "--type",
    "since": "--from", "until": "--to", "note": "--note", "acknowledged": "--acknowledged",
}  # fmt: skip
_ALERTS: Final = (
    Column("Raised", rank=1),
    Column("Severity"),
    Column("Status", rank=3),
    Column("What", folds=True),
    Column("Note", optional=True, folds=True, rank=2),
    Column("Alert"),
)
_MOODS: Final = {"error": "over", "warning": "warn"}


def list_alerts(
    *,
    budget_id: str | None = None,
    severity: str | None = None,
    acknowledged: bool = False,
    unacknowledged: bool = False,
    status: str | None = None,
    kind: str | None = None,
    type: str | None = None,
    since: Annotated[str | None, Parameter(name="--from")] = None,
    until: Annotated[str | None, Parameter(name="--to")] = None,
    limit: int = 100,
    format: Literal["table", "json"] = "table",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """List alerts, newest first: those that nobody has seen to and that still hold, unless asked
    for others.

    Parameters
    ----------
    budget_id:
        Only of this budget: its id or its name.
    severity:
        Only info, warning or error.
    acknowledged:
        Only those that somebody has acknowledged.
    unacknowledged:
        Only those that nobody has.
    status:
        Only those that are open, acknowledged, dismissed or resolved; or all.
    kind:
        Only of this kind, such as limit or runaway.
    type:
        Only of this type, such as cost_limit_exceeded.
    since:
        Only those raised on or after this day or time.
    until:
        Only those raised before this day or time.
    limit:
        How many to show at most.
    format:
        table, or json, which is the same as --json.
    """
    if acknowledged and unacknowledged:
        raise InvalidInput("--acknowledged", "says the opposite of --unacknowledged.")
    for option, word, allowed in (
        ("--severity", severity, SEVERITIES),
        ("--status", status, STATUSES),
    ):
        if word is not None and word not in allowed:
            raise InvalidInput(option, f"{word[:80]!r} is not known.", allowed)
    seen = True if acknowledged else False if unacknowledged else None
    start, end = (None if text is None else past(text) for text in (since, until))
    with open_budget(face) as books, typed_as(**_TYPED):
        of = None if budget_id is None else find_budget(books, budget_id, "--budget-id").budget_id
        page = gather(
            lambda most, at: books.alerts(
                budget_id=of, severity=severity, acknowledged=seen, status=status, kind=kind,
                type=type, since=start, until=end, limit=most, cursor=at,
            ),
            limit,
        )  # fmt: skip
    if face.json or format == "json":
        print_page(face, page, in_json)
    elif page.items:
        show(face, _ALERTS, [_row(one, face) for one in page.items])
        note_rest(face, page)
    else:
        face.note("No alert to show. --status all shows those that were seen to or are over.")
    return 0


def _row(one: Alert, face: Face) -> Row:
    message = in_json(one)["message"]
    open_still = one.status == "open"
    return Row(
        (
            moment(face, one.at_us),
            one.severity,
            one.status,
            message,
            one.note or "",
            one.alert_id,
        ),
        _MOODS.get(one.severity, "") if open_still else "",
    )


def acknowledge(
    alert_id: str,
    /,
    *,
    note: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say that an alert was seen.

    Parameters
    ----------
    alert_id:
        Its id, as `budget alerts list` shows it.
    note:
        A word on what is done about it.
    """
    with open_budget(face) as books, typed_as(**_TYPED):
        if note is None:
            done = books.acknowledge_alert(alert_id)
        else:
            done = books.acknowledge_alert(alert_id, note=note)
    return _told(face, done, "Acknowledged")


def dismiss(alert_id: str, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Take an alert off the list.

    Parameters
    ----------
    alert_id:
        Its id, as `budget alerts list` shows it.
    """
    with open_budget(face) as books:
        done = books.dismiss_alert(alert_id)
    return _told(face, done, "Dismissed")


def _told(face: Face, done: Alert, did: str) -> int:
    if face.json:
        face.print_json(changed_alert(done))
    else:
        before = " before" if done.replayed else ""
        face.print(f"{did}{before}: {in_json(done)['message']}")
    return 0

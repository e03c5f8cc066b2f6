"""`budget report`: a day, a week or a month: spend, limits, who spent, refusals and alerts.

Not here: what the report says (`report_sections`), and how pages look (`report_pages`,
`report_html`).
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from budget.cli import exits, refusals
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.lists import gather
from budget.cli.report_sections import Gathered, Section, sections, title
from budget.cli.spans import asked, before, now_us, window_of
from budget.cli.typed import parse_pairs
from budget.domain.answers_usage import UsageSummary
from budget.domain.errors import InvalidInput
from budget.domain.windows import Window, parse_period, parse_zone

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books

Format = Literal["terminal", "markdown", "html", "csv"]

PERIODS: Final = {"day": "daily", "week": "weekly", "month": "monthly"}
BY: Final = ("provider", "model", "component", "team", "user")
MAX_ALERTS: Final = 1000
MAX_TOP: Final = 100
_BY_SUFFIX: Final[Mapping[str, Format]] = {
    ".html": "html", ".htm": "html", ".csv": "csv",
}  # fmt: skip
_HOURS_UP_TO_US: Final = 2 * 86_400_000_000
_MONTHS_FROM_US: Final = 400 * 86_400_000_000


def report(
    period: Literal["day", "week", "month"] = "month",
    /,
    *,
    format: Format = "terminal",
    output: Path | None = None,
    since: Annotated[str | None, Parameter(name=("--from", "--since"))] = None,
    until: Annotated[str | None, Parameter(name=("--to", "--until"))] = None,
    timezone: str = "UTC",
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    top: int = 5,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Report on a day, a week or a month: the one of now, unless --from and --to say which.

    Parameters
    ----------
    period:
        day, week or month.
    format:
        For the terminal, or a page as Markdown, HTML (one file, nothing else is loaded) or CSV.
    output:
        The file to write it to, in place of standard output; .html and .csv say the format.
    since:
        From when on: a day (midnight UTC), a time such as 2026-11-25T12:00:00Z, or 7d: so long ago.
    until:
        Until when, itself left out.
    timezone:
        Where days begin and end, such as Europe/Berlin.
    attribute:
        Only usage with this attribute, such as team=search; may be said several times.
    top:
        How many of each kind are named.
    """
    zone = parse_zone(timezone, "--timezone")
    scope = parse_pairs(attribute, "--attribute")
    if not 1 <= top <= MAX_TOP:
        raise InvalidInput("--top", f"must be a number from 1 to {MAX_TOP}.")
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise InvalidInput("--output", "must be a file in a folder that there is.")
    calendar = parse_period(PERIODS[period])
    window = window_of(calendar, zone, since, until)
    with face.progress() as progress:
        progress.add_task("Reading", total=None)
        with open_budget(face) as books:
            found = _gather(books, window, before(window, calendar, zone), zone, scope)
    if face.json:
        from budget.cli.report_json import as_json

        _write(face, output, as_json(found))
        return exits.OK
    told = sections(found, top)
    if output is not None and format == "terminal":
        format = _BY_SUFFIX.get(output.suffix.lower(), "markdown")
    if output is None and format == "terminal":
        _show(face, told)
    else:
        _write(face, output, _page(format, title(period, found), told))
    return exits.OK


def _gather(
    books: "Books", window: Window, earlier: Window | None, zone: str, scope: dict[str, str]
) -> Gathered:
    """All that the report tells, of a time and of the time before it."""
    ask: dict[str, Any] = {"timezone": zone, "scope": scope}

    def summed(of: Window, **more: Any) -> UsageSummary:
        told: dict[str, Any] = {**asked(of), **ask, **more}
        return books.usage_summary(**told)

    length_us = min(window.end_us, now_us()) - window.start_us
    bucket = "hour" if length_us <= _HOURS_UP_TO_US else "day"
    if length_us > _MONTHS_FROM_US:
        bucket = "month"
    kept = refusals.between(books, window.start_us, window.end_us)
    if scope:
        kept = (one for one in kept if scope.items() <= one.attributes.items())
    since, until = asked(window).values()
    alerts = gather(
        lambda most, at: books.alerts(
            status="all", since=since, until=until, limit=most, cursor=at
        ),
        MAX_ALERTS,
    )
    return Gathered(
        window=window,
        zone=zone,
        bucket=bucket,
        usage=summed(window, bucket=bucket),
        before=None if earlier is None else summed(earlier).total,
        by={key: summed(window, group_by=[key]) for key in BY},
        standings=gather(lambda most, at: books.standings(limit=most, cursor=at)).items,
        refusals=list(islice(kept, 100_000)),
        alerts=alerts.items,
    )


def _show(face: Face, told: list[Section]) -> None:
    from budget.cli.tables import show

    for place, section in enumerate(told):
        if place:
            face.print()
        _print_title(face, section.title)
        if section.rows:
            show(face, section.columns, section.rows)
        if section.note:
            face.print(section.note)


def _print_title(face: Face, text: str) -> None:
    if face.pretty:
        from rich.text import Text

        face.console().print(Text(text, style="bold"))
    else:
        face.print(text)


def _page(format: Format, heading: str, told: list[Section]) -> str:
    from budget.cli import report_html, report_pages

    if format == "html":
        return report_html.page(heading, told)
    if format == "csv":
        return report_pages.csv(told)
    return report_pages.markdown(heading, told)


def _write(face: Face, output: Path | None, page: str) -> None:
    """Write a page to its file, whole or not at all, else to standard output."""
    if output is None:
        face.print(page.rstrip("\n"))
        return
    beside = output.with_name(f".{output.name}.part")
    try:
        beside.write_text(page, encoding="utf-8")
        beside.replace(output)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InvalidInput("--output", f"cannot be written: {error.strerror}.") from None
    face.note(f"Written to {output}.")

"""`budget reconcile`: our books held against a provider's own figures, by day and model.

Ends with 1 where a difference lies beyond the tolerance. Not here: how both sides are compared
(`engine.reconciling`).
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.importing import parse_map
from budget.cli.reconcile_limits import compare_limits
from budget.cli.tables import Column, Row, counted, show
from budget.cli.typed import parse_instant
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.windows import MAX_US, parse_zone, to_rfc3339

if TYPE_CHECKING:
    from budget.engine.importing.lines import Bad, Line
    from budget.engine.reconciling import Compared, Figures

FORMATS: Final = ("openai", "anthropic", "litellm", "csv", "focus")
_SELLERS: Final = ("openai", "anthropic")
_LIMITS: Final = "openrouter"
_APIS: Final = (*_SELLERS, _LIMITS)
_MAX_TOLERANCE_BPS: Final = 10_000

_COLUMNS: Final = (
    Column("Day"),
    Column("Model", folds=True),
    Column("Tokens", "amount", rank=1),
    Column("Theirs", "amount", rank=1),
    Column("Difference", "amount", rank=2),
    Column("Cost", "amount"),
    Column("Theirs", "amount"),
    Column("Difference", "amount"),
    Column("Verdict"),
)


def reconcile(
    file: str | None = None,
    /,
    *,
    format: str | None = None,
    api: str | None = None,
    since: Annotated[str | None, Parameter(name="--from")] = None,
    until: Annotated[str | None, Parameter(name="--to")] = None,
    tolerance: str = "1%",
    map: Annotated[tuple[str, ...], Parameter(metavar="COLUMN=FIELD")] = (),
    timezone: str = "UTC",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Hold the books against what a provider says of usage and cost, by UTC day and model.

    Parameters
    ----------
    file:
        The provider's export: JSON, JSON lines or CSV.
    format:
        What it is: openai, anthropic, litellm, csv or focus.
    api:
        Instead of a file, ask openai or anthropic itself; of openrouter, the limits of its keys.
    since:
        From this day or time on; that of the first row unless given.
    until:
        Before this day or time; the end of the day of the last row, or of yesterday, unless given.
    tolerance:
        By how much a figure may differ from theirs, as a percentage.
    map:
        Of csv: which column is which field, as COLUMN=FIELD; said for each.
    timezone:
        The time zone of times that name none, such as Europe/Berlin.
    """
    tolerance_bps = _parse_tolerance(tolerance)
    _check_source(file, format, api)
    if api == _LIMITS:
        return compare_limits(face, tolerance_bps)
    if api is not None:
        theirs = _asked(api, since, until)
    else:
        assert file is not None
        assert format is not None
        lines, bad = _read(Path(file), format, map, parse_zone(timezone, "--timezone"))
        theirs = _within(lines, bad, *_span(lines, since, until))
    ask = {"since": to_rfc3339(theirs.start_us), "until": to_rfc3339(theirs.end_us)}
    rows = _compared(face, ask, theirs.lines, api or format, tolerance_bps)
    return _tell(face, {**ask, "tolerance_bps": tolerance_bps}, rows, theirs.bad, tolerance)


class _Theirs(NamedTuple):
    """What the other side says of a time, and what of it cannot be read."""

    lines: "list[Line]"
    bad: "list[Bad]"
    start_us: int
    end_us: int


def _within(lines: "list[Line]", bad: "list[Bad]", start_us: int, end_us: int) -> _Theirs:
    kept = [line for line in lines if start_us <= line.at_us < end_us]
    return _Theirs(kept, bad, start_us, end_us)


def _compared(
    face: Face, ask: dict[str, str], lines: "list[Line]", source: str | None, tolerance_bps: int
) -> "list[Compared]":
    """Our records of a time beside these lines; of a seller, only those of it."""
    from budget.engine.exporting import all_records
    from budget.engine.reconciling import compare, ours_by_day, theirs_by_day

    with open_budget(face) as books:
        pages = all_records(books.usage_records, ask)
        ours = ours_by_day(pages, source if source in _SELLERS else None)
    return compare(ours, theirs_by_day(lines), tolerance_bps)


def _check_source(file: str | None, format: str | None, api: str | None) -> None:
    """InvalidInput unless it is said once where the other side's figures come from."""
    if api is None:
        if file is None or format is None:
            raise InvalidInput("FILE", "is needed, with its --format; or --api says whom to ask.")
    elif api not in _APIS:
        raise InvalidInput("--api", f"{api[:80]!r} is none that can be asked.", _APIS)
    elif file is not None or format is not None:
        raise InvalidInput("--api", "asks the provider itself; leave the file and its format out.")


def _days(since: str | None, until: str | None) -> tuple[int, int]:
    """The whole UTC days that a provider is asked about."""
    from budget.engine.reconciling import DAY_US

    if since is None:
        raise InvalidInput("--from", "says from which day on the provider is asked.")
    now_us = time.time_ns() // 1000
    start_us = parse_instant(since, "--from")
    end_us = now_us - now_us % DAY_US if until is None else parse_instant(until, "--to")
    start_us, end_us = start_us - start_us % DAY_US, end_us + -end_us % DAY_US
    if start_us >= end_us:
        raise InvalidInput("--from", "must lie before --to, which is today unless given.")
    return start_us, end_us


def _asked(api: str, since: str | None, until: str | None) -> _Theirs:
    """What a provider answers of whole days."""
    from budget.engine.importing.providers import read_provider

    start_us, end_us = _days(since, until)
    lines, bad = _apart(read_provider(api, start_us, end_us, os.environ))
    return _within(lines, bad, start_us, end_us)


def _mapping(format: str, map: tuple[str, ...]) -> dict[str, str]:
    """Which columns are which fields; also checks the format."""
    if format not in FORMATS:
        raise InvalidInput("--format", f"{format[:80]!r} is not one that can be read.", FORMATS)
    if format != "focus":
        return parse_map(format, map)
    if map:
        raise InvalidInput("--map", "goes with csv; the columns of the others are known.")
    return {}


def _tell(
    face: Face, asked: dict[str, Any], rows: "list[Compared]", bad: "list[Bad]", tolerance: str
) -> int:
    """Tell of every day and model, and how it ends."""
    wrong = sum(row.verdict != "agrees" for row in rows)
    if face.json:
        face.print_json({
            **asked, "agrees": not wrong and not bad,
            "rows": [_shape(row) for row in rows],
            "problems": [{"place": one.place, "why": one.why} for one in bad],
        })  # fmt: skip
    else:
        show(face, _COLUMNS, [_row(row) for row in rows])
        for one in bad:
            face.print(f"Not read: {one.place}: {one.why}")
        what = f"{wrong:,} beyond {tolerance}" if wrong else "agrees"
        face.print(f"{counted(len(rows), 'day and model', 'days and models')}: {what}.")
    return exits.FAILED if wrong or bad else exits.OK


def _read(
    file: Path, format: str, map: tuple[str, ...], zone: str
) -> "tuple[list[Line], list[Bad]]":
    from budget.cli.importing import lines_of
    from budget.engine.importing.sources import focus, read_lines

    mapping = _mapping(format, map)
    found = (
        read_lines(file, focus, zone)
        if format == "focus"
        else lines_of(format, file, mapping, zone)
    )
    return _apart(found)


def _apart(found: "Iterator[Line | Bad]") -> "tuple[list[Line], list[Bad]]":
    """What can be read, and the first of what cannot."""
    from budget.engine.importing.lines import Bad

    lines: list[Line] = []
    bad: list[Bad] = []
    for one in found:
        if isinstance(one, Bad):
            bad.append(one)
        else:
            lines.append(one)
    return lines, bad[:50]


def _span(lines: "list[Line]", since: str | None, until: str | None) -> tuple[int, int]:
    from budget.engine.reconciling import DAY_US

    if not lines and (since is None or until is None):
        raise InvalidInput("FILE", "has no row that can be read; say --from and --to.")
    if since is not None:
        start_us = parse_instant(since, "--from")
    else:
        first_us = min(line.at_us for line in lines)
        start_us = first_us - first_us % DAY_US
    if until is not None:
        end_us = parse_instant(until, "--to")
    else:
        last_us = max(line.at_us for line in lines)
        end_us = min(last_us - last_us % DAY_US + DAY_US, MAX_US - 1)
    if start_us >= end_us:
        raise InvalidInput("--from", "must lie before --to.")
    return start_us, end_us


def _parse_tolerance(typed: str) -> int:
    """Basis points of a percentage such as 1% or 0.5%."""
    import re

    found = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%?", typed.strip(), re.ASCII)
    bps = -1 if found is None else int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
    if not 0 <= bps <= _MAX_TOLERANCE_BPS:
        raise InvalidInput("--tolerance", "must be a percentage from 0% to 100%, such as 1%.")
    return bps


def _row(row: "Compared") -> Row:
    ours, theirs = _figures(row.ours), _figures(row.theirs)
    tokens, costs = zip(ours, theirs, strict=True)
    return Row((
        row.day, row.model, *(_text(one) for one in tokens), _text(_difference(*tokens)),
        *(_usd(one) for one in costs), _usd(_difference(*costs)), row.verdict,
    ))  # fmt: skip


def _figures(side: "Figures | None") -> tuple[int | None, int | None]:
    return (None, None) if side is None else (side.tokens, side.cost_nanos)


def _difference(ours: int | None, theirs: int | None) -> int | None:
    return None if ours is None or theirs is None else ours - theirs


def _text(count: int | None) -> str:
    return "" if count is None else str(count)


def _usd(nanos: int | None) -> str:
    return "" if nanos is None else format_usd(nanos)


def _shape(row: "Compared") -> dict[str, Any]:
    def side(figures: "Figures | None") -> dict[str, Any] | None:
        if figures is None:
            return None
        cost = figures.cost_nanos
        return {"tokens": figures.tokens, "cost": None if cost is None else format_usd(cost)}

    return {
        "day": row.day, "model": row.model, "ours": side(row.ours), "theirs": side(row.theirs),
        "verdict": row.verdict,
    }  # fmt: skip

"""`budget reconcile`: our books held against a provider's own export, by day and model.

Ends with 1 where a difference lies beyond the tolerance. Not here: how both sides are compared
(`engine.reconciling`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.importing import parse_map
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
    file: str,
    /,
    *,
    format: str,
    since: Annotated[str | None, Parameter(name="--from")] = None,
    until: Annotated[str | None, Parameter(name="--to")] = None,
    tolerance: str = "1%",
    map: Annotated[tuple[str, ...], Parameter(metavar="COLUMN=FIELD")] = (),
    timezone: str = "UTC",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Hold the books against a provider's own export of usage or cost, by UTC day and model.

    Parameters
    ----------
    file:
        The export: JSON, JSON lines or CSV.
    format:
        What it is: openai, anthropic, litellm, csv or focus.
    since:
        From this day or time on; that of the first row unless given.
    until:
        Before this day or time; the end of the day of the last row unless given.
    tolerance:
        By how much a figure may differ from theirs, as a percentage.
    map:
        Of csv: which column is which field, as COLUMN=FIELD; said for each.
    timezone:
        The time zone of times that name none, such as Europe/Berlin.
    """
    mapping = _mapping(format, map)
    tolerance_bps = _parse_tolerance(tolerance)
    lines, bad = _read(Path(file), format, mapping, parse_zone(timezone, "--timezone"))
    start_us, end_us = _span(lines, since, until)
    lines = [line for line in lines if start_us <= line.at_us < end_us]
    from budget.engine.exporting import all_records
    from budget.engine.reconciling import compare, ours_by_day, theirs_by_day

    ask = {"since": to_rfc3339(start_us), "until": to_rfc3339(end_us)}
    with open_budget(face) as books:
        pages = all_records(books.usage_records, ask)
        ours = ours_by_day(pages, format if format in _SELLERS else None)
    rows = compare(ours, theirs_by_day(lines), tolerance_bps)
    wrong = sum(row.verdict != "agrees" for row in rows)
    if face.json:
        face.print_json({
            **ask, "tolerance_bps": tolerance_bps, "agrees": not wrong and not bad,
            "rows": [_shape(row) for row in rows],
            "problems": [{"place": one.place, "why": one.why} for one in bad],
        })  # fmt: skip
    else:
        _tell(face, rows, bad, "agrees" if not wrong else f"{wrong:,} beyond {tolerance}")
    return exits.FAILED if wrong or bad else exits.OK


def _mapping(format: str, map: tuple[str, ...]) -> dict[str, str]:
    """Which columns are which fields; also checks the format."""
    if format not in FORMATS:
        raise InvalidInput("--format", f"{format[:80]!r} is not one that can be read.", FORMATS)
    if format != "focus":
        return parse_map(format, map)
    if map:
        raise InvalidInput("--map", "goes with csv; the columns of the others are known.")
    return {}


def _tell(face: Face, rows: "list[Compared]", bad: "list[Bad]", what: str) -> None:
    show(face, _COLUMNS, [_row(row) for row in rows])
    for one in bad:
        face.print(f"Not read: {one.place}: {one.why}")
    face.print(f"{counted(len(rows), 'day and model', 'days and models')}: {what}.")


def _read(
    file: Path, format: str, mapping: dict[str, str], zone: str
) -> "tuple[list[Line], list[Bad]]":
    from budget.cli.importing import lines_of
    from budget.engine.importing.lines import Bad
    from budget.engine.importing.sources import focus, read_lines

    found = (
        read_lines(file, focus, zone)
        if format == "focus"
        else lines_of(format, file, mapping, zone)
    )
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

"""`budget import`: usage that others recorded, booked once, at its own time.

The file is read twice: first all of it, so that nothing is booked of a file that is none, then to
book. Not here: what each source's rows say (`engine.importing`).
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.moving import is_proxy, move_proxy
from budget.cli.tables import counted
from budget.domain.attributes import parse_key
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.windows import parse_zone

if TYPE_CHECKING:
    from budget.domain.answers_limits import LimitSet
    from budget.domain.facade import Facade
    from budget.engine.importing.booking import Outcome
    from budget.engine.importing.lines import Bad, Line
    from budget.engine.importing.rhetor_limits import RhetorLimit

    Lines = Callable[[], Iterator[Line | Bad]]

FORMATS: Final = ("litellm", "openai", "anthropic", "langfuse", "helicone", "rhetor", "csv")


def import_usage(
    format: str,
    file: str,
    /,
    *,
    map: Annotated[tuple[str, ...], Parameter(metavar="COLUMN=FIELD")] = (),
    timezone: str = "UTC",
    dry_run: bool = False,
    strict: bool = False,
    usage_only: bool = False,
    apply: bool = False,
    keep_keys: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Book usage that others recorded. What was imported before is not booked again.

    Parameters
    ----------
    format:
        What the file is: litellm, openai, anthropic, langfuse, helicone, rhetor or csv.
    file:
        The file: JSON, JSON lines or CSV; of rhetor a SQLite database. Of litellm also a proxy:
        its http(s)://… address, its postgresql://… database, or an export of its tables.
    map:
        Of csv: which column is which field or attribute, as COLUMN=FIELD; said for each.
    timezone:
        The time zone of times that name none, such as Europe/Berlin.
    dry_run:
        Say what would be booked, and book nothing.
    strict:
        Book nothing unless every row can be read.
    usage_only:
        Of rhetor: leave the limits that it has, which are set otherwise.
    apply:
        Of a proxy of litellm: make the budgets and keys that are shown otherwise.
    keep_keys:
        Of a proxy of litellm: make no keys; it stays before the models, with our callback.
    """
    if format == "litellm" and is_proxy(file):
        return move_proxy(face, file, apply=apply and not dry_run, keep_keys=keep_keys)
    if apply or keep_keys:
        raise InvalidInput("--apply" if apply else "--keep-keys", "goes with a proxy of litellm.")
    zone = parse_zone(timezone, "--timezone")
    lines = partial(lines_of, format, Path(file), parse_map(format, map), zone)
    found = _rehearsed(lines, strict=strict)
    wanted = _limits_of(format, Path(file), wanted=not usage_only)
    if dry_run:
        return _show(face, found, wanted, [], dry=True)
    return _book(face, format, lines, found.lines, wanted, zone)


def _rehearsed(lines: "Lines", *, strict: bool) -> "Outcome":
    """What would be booked; InvalidInput where every row must be read and one cannot be."""
    from budget.engine.importing.booking import rehearse

    found = rehearse(lines())
    if strict and found.failed:
        first = found.bad[0]
        failed = counted(found.failed, "row")
        raise InvalidInput(
            "FILE", f"{failed} cannot be booked, the first: {first.place}: {first.why}."
        )
    return found


def _book(
    face: Face,
    format: str,
    lines: "Lines",
    total: int,
    wanted: "list[RhetorLimit | Bad]",
    zone: str,
) -> int:
    """Book all lines, set the limits that come with them, and tell of both."""
    from budget.engine.importing.booking import book

    with (
        open_budget(face, create=True, priced=True) as books,
        face.counting("Importing") as tell,
    ):
        done = book(lines(), books.record_bulk, format, tell, total=total)
        made = _set(wanted, zone, books)
    return _show(face, done, wanted, made, dry=False)


def _limits_of(format: str, file: Path, *, wanted: bool) -> "list[RhetorLimit | Bad]":
    """The limits that come with the usage."""
    if format != "rhetor" or not wanted:
        return []
    from budget.engine.importing.rhetor_limits import read_limits

    return read_limits(file, os.environ)


def _set(wanted: "list[RhetorLimit | Bad]", zone: str, books: "Facade") -> "list[LimitSet]":
    from budget.engine.importing.rhetor_limits import RhetorLimit, set_limits

    usable = [one for one in wanted if isinstance(one, RhetorLimit)]
    return set_limits(usable, zone, books.set_limit)


def lines_of(format: str, file: Path, mapping: dict[str, str], zone: str) -> "Iterator[Line | Bad]":
    """The lines of a file of a format."""
    from budget.engine.importing import rhetor, sources

    if format == "rhetor":
        return rhetor.read_lines(file, zone)
    reader = sources.table(mapping) if format == "csv" else sources.READERS[format]
    return sources.read_lines(file, reader, zone)


def parse_map(format: str, words: tuple[str, ...]) -> dict[str, str]:
    """The fields that columns are mapped to; also checks the format."""
    from budget.engine.importing.sources import FIELDS

    if format not in FORMATS:
        raise InvalidInput("FORMAT", f"{format[:80]!r} is not one that can be read.", FORMATS)
    if words and format != "csv":
        raise InvalidInput("--map", "goes with csv; the columns of the others are known.")
    found: dict[str, str] = {}
    for word in words:
        column, equals, field = word.rpartition("=")
        if not equals or not column:
            raise InvalidInput("--map", f"{word[:80]!r} is not COLUMN=FIELD.")
        if field.startswith("tag."):
            parse_key(field, "--map")
        elif field not in FIELDS:
            raise InvalidInput("--map", f"{field[:80]!r} is not a field.", (*FIELDS, "tag.<name>"))
        found[column.strip()] = field
    return found


def _show(
    face: Face,
    done: "Outcome",
    wanted: "list[RhetorLimit | Bad]",
    made: "list[LimitSet]",
    *,
    dry: bool,
) -> int:
    from budget.engine.importing.lines import Bad

    bad = [one for one in wanted if isinstance(one, Bad)]
    code = exits.FAILED if done.failed or bad else exits.OK
    if face.json:
        limits = {"found": len(wanted) - len(bad), "set": sum(one.did != "nothing" for one in made)}
        face.print_json(_shape(done, dry, bad) | {"limits": limits})
        return code
    verb = "Would book" if dry else "Booked"
    line = f"{verb} {counted(done.booked, 'usage record')} of {counted(done.lines, 'row')}"
    line += f", {done.tokens:,} tokens" if dry else f" at {format_usd(done.cost_nanos)} USD"
    face.print(f"{line}; the source says {format_usd(done.reported_nanos)} USD.")
    if done.before:
        face.print(f"{counted(done.before, 'row')} had been booked before.")
    if done.history:
        face.print(f"{done.history:,} are history: in reports, and in no window that is over.")
    if done.unpriced:
        face.print(f"{done.unpriced:,} have no price and no cost.")
    for row in done.bad:
        face.print(f"Not booked: {row.place}: {row.why}")
    if done.failed > len(done.bad):
        face.print(f"and {done.failed - len(done.bad):,} more")
    for one in made:
        face.print(_limit_words(one))
    if dry and len(wanted) > len(bad):
        face.print(f"Would set {counted(len(wanted) - len(bad), 'limit')}.")
    for unset in bad:
        face.print(f"Not set: {unset.place}: {unset.why}")
    return code


def _limit_words(made: "LimitSet") -> str:
    policy = made.policy
    verb = "Stands already" if made.did == "nothing" else "Set"
    words = f"{policy.calendar.period.text} {format_usd(policy.limit)} USD, {policy.enforcement}"
    return f"{verb}: {made.budget.name!r} {words}."


def _shape(done: "Outcome", dry: bool, bad: "list[Bad]") -> dict[str, Any]:
    return {
        "dry_run": dry, "rows": done.lines, "booked": done.booked, "booked_before": done.before,
        "history": done.history, "unpriced": done.unpriced,
        "failed": done.failed, "tokens": done.tokens, "cost": format_usd(done.cost_nanos),
        "reported_cost": format_usd(done.reported_nanos),
        "problems": [{"place": one.place, "why": one.why} for one in (*done.bad, *bad)],
    }  # fmt: skip

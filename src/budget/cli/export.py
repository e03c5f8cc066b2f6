"""`budget export`: usage records as CSV, FOCUS or Parquet, for other programs.

A file is there whole or not at all: it is written beside its name and renamed at the end. Not here:
what the rows are (`engine.exporting`).
"""

import contextlib
import csv
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import TextIOBase, TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, TextIO, cast

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.dates import past, span
from budget.cli.face import Face
from budget.cli.spans import now_us
from budget.cli.typed import parse_instant, parse_pairs, typed_as
from budget.domain.answers import UsageRecord
from budget.domain.errors import InvalidInput, Unavailable
from budget.domain.money import format_usd
from budget.domain.windows import to_rfc3339

Pages = Iterator[list[UsageRecord]]
Output = Annotated[str, Parameter(allow_leading_hyphen=True)]

STDOUT: Final = "-"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Chosen:
    """Which usage is exported.

    Parameters
    ----------
    since:
        Only calls from this day or time on; all unless given.
    until:
        Only calls before this day or time; until now unless given.
    attribute:
        Only calls with this attribute, such as team=search; may be said several times.
    """

    since: Annotated[str | None, Parameter(name="--from")] = None
    until: Annotated[str | None, Parameter(name="--to")] = None
    attribute: Annotated[tuple[str, ...], Parameter(name="--attribute", metavar="KEY=VALUE")] = ()


_ALL: Final = Chosen()


def export_csv(
    *,
    chosen: Chosen = _ALL,
    output: Output = STDOUT,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Export usage records as CSV, oldest first, corrections as they lie.

    Parameters
    ----------
    output:
        The file to write; - is standard output.
    """
    from budget.engine.exporting import CSV_COLUMNS, csv_row

    return _export_rows(face, chosen, output, CSV_COLUMNS, csv_row)


def export_focus(
    *,
    chosen: Chosen = _ALL,
    output: Output = STDOUT,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Export usage as FOCUS 1.2 rows of cost, in CSV: a charge for each record.

    Parameters
    ----------
    output:
        The file to write; - is standard output.
    """
    from budget.engine.exporting import FOCUS_COLUMNS, focus_row

    return _export_rows(face, chosen, output, FOCUS_COLUMNS, focus_row)


def export_parquet(
    *,
    chosen: Chosen = _ALL,
    output: Output = "usage.parquet",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Export usage records as Parquet; needs the extra `parquet`.

    Parameters
    ----------
    output:
        The file to write.
    """
    from budget.engine.exporting import parquet_writer

    if output == STDOUT:
        raise InvalidInput("--output", "must be a file: Parquet cannot go to standard output.")

    def write(pages: Pages, sink: BinaryIO) -> None:
        try:
            put, finish = parquet_writer(sink)
        except ImportError:
            raise InvalidInput(
                "parquet", "needs a library: `pip install 'budgetd[parquet]'` installs it."
            ) from None
        for page in pages:
            put(page)
        finish()

    return _export(face, chosen, output, write)


def _export_rows(
    face: Face,
    chosen: Chosen,
    output: str,
    columns: tuple[str, ...],
    row_of: Callable[[UsageRecord], Any],
) -> int:
    def put(pages: Pages, text: TextIO) -> None:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(columns)
        for page in pages:
            rows.writerows(map(row_of, page))

    def write(pages: Pages, sink: BinaryIO | TextIO) -> None:
        if isinstance(sink, TextIOBase):
            put(pages, cast("TextIO", sink))
            return
        text = TextIOWrapper(cast("BinaryIO", sink), encoding="utf-8", newline="")
        put(pages, text)
        text.detach()  # flushed; the file is closed by who opened it

    return _export(face, chosen, output, write)


def _export(
    face: Face,
    chosen: Chosen,
    output: str,
    write: Callable[..., None],
) -> int:
    from budget.engine.exporting import all_records

    ask = _asked(chosen)
    counts = {"records": 0, "cost_nanos": 0}
    with (
        open_budget(face) as books,
        face.counting("Exporting") as tell,
        typed_as(since="--from", until="--to", attributes="--attribute"),
    ):
        began = time.monotonic()
        pages = _counted(all_records(books.usage_records, ask), counts, tell)
        if output == STDOUT:
            write(pages, sys.stdout)
        else:
            with whole_file(Path(output), "--output") as sink:
                write(pages, sink)
    seconds = max(time.monotonic() - began, 1e-3)
    _tell(face, output, counts, seconds)
    return exits.OK


def _asked(chosen: Chosen) -> dict[str, Any]:
    """What the facade is asked: the end is fixed, so that an export ends however long it takes."""
    until = to_rfc3339(now_us()) if chosen.until is None else past(chosen.until)
    until_us = parse_instant(until, "--to")
    ask: dict[str, Any] = {**span(chosen.since, None), "until": until}
    if chosen.since is not None and parse_instant(chosen.since, "--from") >= until_us:
        raise InvalidInput("--from", "must lie before --to.")
    if chosen.attribute:
        ask["attributes"] = parse_pairs(chosen.attribute, "--attribute")
    return ask


def _counted(pages: Pages, counts: dict[str, int], tell: Callable[[int, int], None]) -> Pages:
    from budget.engine.exporting import total_nanos

    for page in pages:
        yield page
        counts["records"] += len(page)
        counts["cost_nanos"] += total_nanos(page)
        tell(counts["records"], counts["records"])


def _tell(face: Face, output: str, counts: dict[str, int], seconds: float) -> None:
    """What was written: as an answer where a file was, else as a note beside the rows."""
    records, cost = counts["records"], format_usd(counts["cost_nanos"])
    if output != STDOUT and face.json:
        face.print_json({"output": output, "records": records, "cost": cost})
        return
    say = face.note if output == STDOUT else face.print
    where = "" if output == STDOUT else f" to {output}"
    say(
        f"Exported {records:,} usage record{'' if records == 1 else 's'}{where}: {cost} USD, "
        f"{int(records / seconds):,} rows/s."
    )


@contextlib.contextmanager
def whole_file(path: Path, option: str) -> Iterator[BinaryIO]:
    """A file (0600) that takes its name when it is whole and on the disk; else nothing is left."""
    part = path.parent / f".{path.name}.part-{os.getpid()}"
    try:
        if path.is_dir():
            raise InvalidInput(option, f"{path} is a folder; name a file in it.")
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(option, f"cannot write {str(path)[:200]!r}: {why}.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

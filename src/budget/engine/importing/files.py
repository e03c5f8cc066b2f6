"""Files of usage: their rows one by one, from JSON, JSON lines or CSV, with where each stands.

JSON lines and CSV are read line by line, so that their size does not matter; one JSON document is
read whole and may have 64 MB. Not here: what the rows say (`sources`), SQLite (`rhetor`).
"""

import csv
import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from budget.domain.errors import InvalidInput, NotFound
from budget.engine.importing.lines import Bad

MAX_DOCUMENT_BYTES: Final = 64 << 20
MAX_LINE_CHARS: Final = 1 << 20

Row = tuple[str, Any] | Bad
"""Where a row stands (such as `line 3`) and what it is."""


def rows_of(file: Path) -> Iterator[Row]:
    """The rows of a file; InvalidInput if it cannot be read as what it begins like."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            start = opened.read(4096).lstrip()
            opened.seek(0)
            if start.startswith("["):
                yield from _document(file)
            elif start.startswith("{"):
                first = opened.readline(MAX_LINE_CHARS + 1)
                opened.seek(0)
                yield from _lines(opened) if _is_object(first) else _document(file)
            else:
                yield from _table(opened)
    except FileNotFoundError:
        raise NotFound("file", str(file), f"There is no file {file}.") from None
    except UnicodeDecodeError:
        raise InvalidInput("FILE", f"{file} is not UTF-8 text.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be read"
        raise InvalidInput("FILE", f"{str(file)[:200]!r}: {why}.") from None


def _is_object(line: str) -> bool:
    """Whether a first line is a row by itself: JSON lines. A page of an API is a document."""
    try:
        found = _parsed(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and not isinstance(found.get("data"), list)


def _parsed(told: str) -> Any:
    return json.loads(told, parse_float=Decimal, parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _document(file: Path) -> Iterator[Row]:
    if file.stat().st_size > MAX_DOCUMENT_BYTES:
        raise InvalidInput(
            "FILE",
            f"{file} is one JSON document of over 64 MB; write it as JSON lines, a row each.",
        )
    try:
        found = _parsed(file.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError, ValueError):
        raise InvalidInput("FILE", f"{file} is not JSON.") from None
    pages = found if isinstance(found, list) else [found]
    number = itertools.count(1)
    for page in pages:
        inside = page.get("data") if isinstance(page, dict) else None
        for row in inside if isinstance(inside, list) else [page]:
            yield f"row {next(number)}", row


def _lines(opened: Any) -> Iterator[Row]:
    for number in itertools.count(1):
        line = opened.readline(MAX_LINE_CHARS + 1)
        if not line:
            return
        if len(line) > MAX_LINE_CHARS:
            raise InvalidInput("FILE", f"line {number} has over a million characters.")
        if not line.strip():
            continue
        try:
            yield f"line {number}", _parsed(line)
        except (ValueError, RecursionError):
            yield Bad(f"line {number}", "is not JSON")


def _table(opened: Any) -> Iterator[Row]:
    reader = csv.reader(opened)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InvalidInput("FILE", f"line {reader.line_num}: {error}.") from None
        if cells is None:
            return
        if not any(cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            continue
        if len(cells) != len(header):
            yield Bad(f"line {reader.line_num}", f"has {len(cells)} cells, not {len(header)}")
            continue
        yield f"line {reader.line_num}", dict(zip(header, cells, strict=True))

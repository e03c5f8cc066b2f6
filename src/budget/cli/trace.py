"""Traces: the calls in a CSV file for `budget replay`, checked before the first is sent.

The columns are `timestamp` (RFC 3339), `service`, `model`, `input_tokens`, `output_tokens`; others
are let be.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from budget.domain.attributes import parse_value
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.money import MAX_TOKENS
from budget.domain.windows import parse_rfc3339

COLUMNS: Final = ("timestamp", "service", "model", "input_tokens", "output_tokens")
HOLD_STEP_TOKENS: Final = 256

_NEEDED: Final = ", ".join(COLUMNS)


class Call(NamedTuple):
    """One call of a trace, and the line of the file it stands on."""

    line: int
    at_us: int
    service: str
    model: str
    input_tokens: int
    output_tokens: int


def read_trace(path: Path, limit: int | None = None) -> list[Call]:
    """The first `limit` calls of a file, in the order of their times.

    NotFound when there is no such file; InvalidInput names the line and the column that cannot be
    read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            calls = list(_calls(path.name, file, limit))
    except FileNotFoundError:
        raise NotFound("file", str(path)) from None
    except OSError as error:
        raise InvalidInput(str(path), f"cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(path.name, "is not a text file in UTF-8.") from None
    if not calls:
        raise InvalidInput(path.name, "has no calls: a line of column names, then one per call.")
    return sorted(calls, key=lambda call: call.at_us)


def _calls(name: str, lines: Iterable[str], limit: int | None) -> Iterator[Call]:
    reader = csv.reader(lines, strict=True)
    try:
        first = next(reader, None)
        if first is None:
            raise InvalidInput(name, f"is empty. Needed: a line of column names, {_NEEDED}.")
        header = [column.strip() for column in first]
        places = _places(name, header)
        for cells in reader:
            if not cells:
                continue
            where = f"{name}, line {reader.line_num}"
            if len(cells) != len(header):
                raise InvalidInput(
                    where, f"has {len(cells)} columns where the first line names {len(header)}."
                )
            yield _call(where, reader.line_num, [cells[place].strip() for place in places])
            if limit is not None:
                limit -= 1
                if limit <= 0:
                    return
    except csv.Error as error:
        raise InvalidInput(f"{name}, line {reader.line_num}", f"is not CSV: {error}.") from None


def _places(name: str, header: list[str]) -> list[int]:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        named = " and ".join(repr(column) for column in missing)
        raise InvalidInput(f"{name}, line 1", f"has no column {named}. Needed: {_NEEDED}.")
    return [header.index(column) for column in COLUMNS]


def _call(where: str, line: int, cells: list[str]) -> Call:
    timestamp, service, model, input_tokens, output_tokens = cells
    return Call(
        line=line,
        at_us=parse_rfc3339(timestamp, f"{where}, timestamp"),
        service=parse_value(service, f"{where}, service"),
        model=parse_value(model, f"{where}, model"),
        input_tokens=_tokens(input_tokens, f"{where}, input_tokens"),
        output_tokens=_tokens(output_tokens, f"{where}, output_tokens"),
    )


def _tokens(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(field, f"{text[:40]!r} is not a whole number such as 1200.")
    if len(text) > len(str(MAX_TOKENS)) or int(text) > MAX_TOKENS:
        raise InvalidInput(field, f"must be at most {MAX_TOKENS}.")
    return int(text)


def hold_caps(calls: Iterable[Call]) -> dict[str, int]:
    """For each service, output tokens that any of its calls stays within, in whole steps of 256.

    A caller does not know how long an answer will be, only what it will never exceed.
    """
    most: dict[str, int] = {}
    for call in calls:
        most[call.service] = max(most.get(call.service, 0), call.output_tokens, 1)
    return {
        service: -(-tokens // HOLD_STEP_TOKENS) * HOLD_STEP_TOKENS
        for service, tokens in most.items()
    }

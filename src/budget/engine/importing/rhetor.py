"""Tekton's databases: the usage records of its Budget, and of Rhetor's older budget tables.

The file is opened read-only and as one that nobody changes, so that it stays as it is, and nothing
in it runs: only the tables named here are read, never views. Not here: files of text (`files`), and
Rhetor's limits (`rhetor_limits`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from budget.domain.errors import InvalidInput, NotFound
from budget.engine.importing.lines import Bad, Line, identified, money, named, text, time_us, whole

SOURCE: Final = "rhetor"
"""What the tag `source` of Rhetor's own records says, so that they can be told from others."""
_TABLES: Final = {
    "usage_record": "SELECT rowid AS row, * FROM usage_record",
    "usage_records": "SELECT rowid AS row, * FROM usage_records",
    "usage": "SELECT rowid AS row, * FROM usage",
}


def read_lines(file: Path, zone: str) -> Iterator[Line | Bad]:
    """The lines of the first table of usage that the file has; InvalidInput if it has none."""
    with closing(opened(file)) as connection:
        try:
            found = {
                name for (name,) in
                connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }  # fmt: skip
            table = next((name for name in _TABLES if name in found), None)
            if table is None:
                raise InvalidInput("FILE", f"{file} has no table of usage records.", _TABLES)
            source = SOURCE if table == "usage" else None
            for row in connection.execute(_TABLES[table]):
                yield _line(dict(row), zone, source)
        except sqlite3.Error as error:
            raise _unreadable(file, error) from None


def opened(file: Path) -> sqlite3.Connection:
    """The database, to be read only; NotFound or InvalidInput if it cannot be."""
    if not file.is_file():
        raise NotFound("file", str(file), f"There is no file {str(file)[:200]!r}.")
    try:
        address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.row_factory = sqlite3.Row
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.Error as error:
        raise _unreadable(file, error) from None
    return connection


def _unreadable(file: Path, error: sqlite3.Error) -> InvalidInput:
    return InvalidInput("FILE", f"{file} is not a SQLite database that can be read: {error}.")


def _line(row: dict[str, Any], zone: str, source: str | None) -> Line | Bad:
    place = f"row {row['row']}"
    try:
        cost = row.get("total_cost", row.get("cost"))
        cost = None if cost is None else repr(cost) if isinstance(cost, float) else cost
        return Line(
            place, identified(row.get("record_id", row.get("id", row["row"]))),
            time_us(row.get("timestamp"), "timestamp", zone), text(row.get("provider")),
            text(row.get("model")), whole(row.get("input_tokens"), "input_tokens"),
            whole(row.get("output_tokens"), "output_tokens"), cost_nanos=money(cost, "cost"),
            attributes=named(
                component=row.get("component"), session=row.get("context_id"),
                task_type=row.get("task_type"), user=row.get("user_id"),
                **{"tag.source": source},
            ),
        )  # fmt: skip
    except ValueError as error:
        return Bad(place, str(error)[:200])

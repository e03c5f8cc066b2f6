"""Tables: what a LiteLLM proxy knows, as rows by our names, from its database or an export.

The database is read in one transaction that cannot write. Not here: its HTTP API (`api`), and what
the rows mean (`planning`).
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from budget.domain.errors import InvalidInput, Unavailable
from budget.engine.importing.files import MAX_DOCUMENT_BYTES
from budget.engine.importing.lines import Bad, Line
from budget.engine.importing.sources import lines_of_rows, litellm

Row = Mapping[str, Any]
Tables = Mapping[str, list[Row]]

NAMES: Final[Mapping[str, str]] = {
    "keys": "LiteLLM_VerificationToken",
    "teams": "LiteLLM_TeamTable",
    "users": "LiteLLM_UserTable",
    "organizations": "LiteLLM_OrganizationTable",
    "projects": "LiteLLM_ProjectTable",
    "members": "LiteLLM_TeamMembership",
    "org_members": "LiteLLM_OrganizationMembership",
    "end_users": "LiteLLM_EndUserTable",
    "tags": "LiteLLM_TagTable",
    "budgets": "LiteLLM_BudgetTable",
}
_LOGS: Final = "LiteLLM_SpendLogs"
_CONNECT_SECONDS: Final = 10
_FETCHED: Final = 1000


def of_export(file: Path) -> Tables | None:
    """The tables of a JSON export: an object with `keys`, `teams` and the like, or with LiteLLM's
    own names of tables. None: it is no such export.
    """
    try:
        if not file.is_file() or file.stat().st_size > MAX_DOCUMENT_BYTES:
            return None
        found = json.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    tables = {
        name: rows_in(found.get(name, found.get(theirs)), name)
        for name, theirs in NAMES.items()
        if name in found or theirs in found
    }
    return tables or None


def rows_in(found: Any, name: str) -> list[Row]:
    """Rows of a list, or of an answer of the API that has them under their name."""
    if isinstance(found, Mapping):
        found = found.get(name, found.get("data"))
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise InvalidInput("FILE", f"{name} must be a list of objects.")
    return found


def of_database(url: str) -> Tables:
    """The tables of the database of a proxy. Unavailable, which tells nothing of the address."""
    from psycopg import sql
    from psycopg.rows import dict_row

    with _reading(url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        found: dict[str, list[Row]] = {}
        for name, theirs in NAMES.items():
            if _has(cursor, theirs):
                cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(theirs)))
                found[name] = cursor.fetchall()
    if "keys" not in found:
        raise InvalidInput("FILE", f"the database has no table {NAMES['keys']} of LiteLLM.")
    return found


def logs_of_database(url: str) -> Iterator[Line | Bad]:
    """The spend logs of a proxy, as lines; read piece by piece."""
    from psycopg import sql
    from psycopg.rows import dict_row

    with _reading(url) as connection:
        with connection.cursor(row_factory=dict_row) as looking:
            if not _has(looking, _LOGS):
                return
        with connection.cursor("budget_logs", row_factory=dict_row) as cursor:
            cursor.itersize = _FETCHED
            cursor.execute(
                sql.SQL('SELECT * FROM {} ORDER BY "startTime"').format(sql.Identifier(_LOGS))
            )
            rows = ((f"log {number}", _told(row)) for number, row in enumerate(cursor, start=1))
            yield from lines_of_rows(rows, litellm, "UTC")


def _told(row: Row) -> Row:
    """A row of the database as an export of it would have it."""
    return {
        name: str(value) if isinstance(value, float) or hasattr(value, "isoformat") else value
        for name, value in row.items()
    }


def _reading(url: str) -> Any:
    import psycopg

    try:
        connection = psycopg.connect(url, connect_timeout=_CONNECT_SECONDS)
    except psycopg.Error:
        raise Unavailable("The database of the proxy cannot be opened.") from None
    connection.read_only = True
    return connection


def _has(cursor: Any, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL AS there", (f'"{table}"',))
    return bool(cursor.fetchone()["there"])

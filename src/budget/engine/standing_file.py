"""Standings of a SQLite file, read by the standard library alone: half the time is then saved.

    views = standing_of_file(path, {})        # None: read it the usual way

Not here: what is made of it (`standing`), and databases of any kind (`standing_sources`).
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from budget.domain.answers import BalanceView
from budget.domain.budgets import Budget
from budget.engine.budget_rows import (
    BUDGET_COLUMNS,
    POLICY_COLUMNS,
    TOP_UP_COLUMNS,
    budgets_from_rows,
)
from budget.engine.standing import standing
from budget.storage.migrations import REVISION, is_latest
from budget.storage.unit import HEAD_COLUMNS, Row

_WAIT_SECONDS: Final = 5.0


def _all_of(columns: Sequence[str], table: str, more: str = "") -> str:
    """A query of ours: its words are those of this file and of the schema, none a caller's."""
    return f"SELECT {', '.join(columns)} FROM {table}{more}"  # noqa: S608


_BUDGETS: Final = _all_of(
    BUDGET_COLUMNS, "budgets", " WHERE archived_us IS NULL ORDER BY name, budget_id"
)
_POLICIES: Final = _all_of(POLICY_COLUMNS, "policies")
_TOP_UPS: Final = _all_of(TOP_UP_COLUMNS, "top_ups")
_HEADS: Final = _all_of(
    HEAD_COLUMNS, "heads", " WHERE policy_id IN (SELECT value FROM json_each(?))"
)


class _File:
    """The books as one transaction on a file sees them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def budgets(self) -> list[Budget]:
        return budgets_from_rows(self._rows(_BUDGETS), self._rows(_POLICIES), self._rows(_TOP_UPS))

    def heads(self, policy_ids: Iterable[str]) -> Iterator[Row]:
        return self._rows(_HEADS, (json.dumps(list(policy_ids)),))

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        return self._connection.execute(query, values)


def standing_of_file(path: Path, attributes: Mapping[str, str]) -> list[BalanceView] | None:
    """Every balance of now that calls with these attributes meet; None if the file is not as this
    release writes it, or cannot be read so.
    """
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", _WAIT_SECONDS, uri=True)
        ) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN")
            if not is_latest(connection.execute(REVISION)):
                return None
            return standing(_File(connection), time.time_ns() // 1000, attributes)
    except sqlite3.Error:
        return None

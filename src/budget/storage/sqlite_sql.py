"""The statements of a batch on SQLite, each made once, for several numbers of rows.

Rows are written as `VALUES (...), (...), ...`: a few statements where `executemany` takes a step
for each row. Measured with 3.40 and 350 bytes of legs, on a table with its indexes: as much CPU
either way from 8 rows on (60-90 us for a call placed and settled). But each step gives the
interpreter lock away, and beside a busy event loop a batch of 256 took 240 ms with executemany, 60
ms so. Of fewer rows executemany is as good, and for updates better up to 16, since these collect
their rows first (ten heads: 137 us instead of 55). Not here: when they run (`sqlite_unit`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from budget.storage import unit

Sizes = Mapping[int, str]
"""The text of one statement by the number of rows it takes, largest first."""

_INSERT_SIZES: Final = (64, 16, 4, 1)
_UPDATE_SIZES: Final = (64, 16, 1)
_SELECT_SIZES: Final = (256, 64, 16, 4, 1)


def _filled(template: str, **parts: str) -> str:
    """A statement: each `<part>` of the template is replaced, by words of this house only."""
    for part, value in parts.items():
        template = template.replace(f"<{part}>", value)
    return " ".join(template.split())


def _quoted(columns: Sequence[str], table: str = "") -> str:
    prefix = f"{table}." if table else ""
    return ", ".join(f'{prefix}"{column}"' for column in columns)


def _rows(width: int, size: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * size)


def _insert(table: str, columns: Sequence[str], rest: str = "") -> Sizes:
    return {
        size: _filled(
            "INSERT INTO <table> (<columns>) VALUES <rows> <rest>",
            table=table,
            columns=_quoted(columns),
            rows=_rows(len(columns), size),
            rest=rest,
        )
        for size in _INSERT_SIZES
    }


def _update(table: str, changes: Sequence[str], guard: str) -> Sizes:
    """Set `changes` where the id, and the guarding column's value before, are as given."""
    one = _filled(
        'UPDATE <table> SET <sets> WHERE "id" = ? AND "<guard>" = ?',
        table=table,
        guard=guard,
        sets=", ".join(f'"{column}" = ?' for column in changes),
    )
    width = len(changes) + 2
    many = {
        size: _filled(
            """
            UPDATE <table> SET <sets> FROM (VALUES <rows>) AS new
            WHERE <table>."id" = new.column<id> AND <table>."<guard>" = new.column<expected>
            """,
            table=table,
            guard=guard,
            sets=", ".join(f'"{column}" = new.column{at}' for at, column in enumerate(changes, 1)),
            rows=_rows(width, size),
            id=str(width - 1),
            expected=str(width),
        )
        for size in _UPDATE_SIZES
        if size > 1
    }
    return {**many, 1: one}


def _select(template: str, width: int, **parts: str) -> Sizes:
    return {size: _filled(template, wanted=_wanted(width, size), **parts) for size in _SELECT_SIZES}


def _wanted(width: int, size: int) -> str:
    if width == 1:
        return f"({', '.join('?' * size)})"
    return _rows(width, size)


def _select_by(table: str, columns: Sequence[str], key: Sequence[str]) -> Sizes:
    """The rows of several composite keys. Joined: `(a, b) IN (VALUES ...)` would scan the table."""
    return _select(
        """
        WITH wanted (<key>) AS (VALUES <wanted>)
        SELECT <columns> FROM wanted CROSS JOIN <table> ON <same>
        """,
        len(key),
        table=table,
        key=_quoted(key),
        columns=_quoted(columns, table),
        same=" AND ".join(f'{table}."{name}" = wanted."{name}"' for name in key),
    )


BEGIN: Final = "BEGIN IMMEDIATE"
COMMIT: Final = "COMMIT"
ROLLBACK: Final = "ROLLBACK"
STATE: Final = "SELECT epoch, xid, catalogue_version FROM state WHERE id = 1"
COUNT_UP: Final = "UPDATE state SET xid = ? WHERE id = 1 AND xid = ?"

KEYS: Final = _select_by("keys", unit.KEY_COLUMNS, unit.KEY_COLUMNS[:3])

_ALLOCATIONS: Final = _quoted(unit.ALLOCATION_COLUMNS)

ALLOCATIONS: Final = _select(
    "SELECT <columns> FROM allocations WHERE id IN <wanted>", 1, columns=_ALLOCATIONS
)
OPEN_CHILDREN: Final = _select(
    "SELECT <columns> FROM allocations WHERE parent_id IN <wanted> AND status = 'open'",
    1,
    columns=_ALLOCATIONS,
)
DUE: Final = """
SELECT id FROM allocations WHERE status = 'open' AND expires_us <= ? ORDER BY expires_us, id LIMIT ?
"""

USAGE: Final = _select(
    "SELECT <columns> FROM usage WHERE id IN <wanted>", 1, columns=_quoted(unit.USAGE_COLUMNS)
)
SETTLING_USAGE: Final = _select(
    """
    SELECT <columns> FROM allocations JOIN usage ON usage.id = allocations.settled_by
    WHERE allocations.id IN <wanted>
    """,
    1,
    columns=_quoted(unit.USAGE_COLUMNS, "usage"),
)
REVERSALS: Final = _select("SELECT reverses, id FROM usage WHERE reverses IN <wanted>", 1)
ENTRY_LEGS: Final = _select("SELECT id, legs FROM entries WHERE id IN <wanted>", 1)

_HEADS: Final = _quoted(unit.HEAD_COLUMNS)

HEADS_BY_PAIR: Final = _select_by("heads", unit.HEAD_COLUMNS, ("policy_id", "partition"))
HEADS_BY_ID: Final = _select("SELECT <columns> FROM heads WHERE id IN <wanted>", 1, columns=_HEADS)
LAST_HEAD: Final = "SELECT coalesce(max(id), 0) FROM heads"
WINDOWS: Final = _select_by("windows", unit.WINDOW_COLUMNS, ("head_id", "start_us"))

INSERT_ENTRIES: Final = _insert("entries", unit.ENTRY_COLUMNS)
INSERT_ALLOCATIONS: Final = _insert("allocations", unit.ALLOCATION_COLUMNS)
INSERT_USAGE: Final = _insert("usage", unit.USAGE_COLUMNS)
INSERT_USAGE_TAGS: Final = _insert("usage_tags", unit.USAGE_TAG_COLUMNS)
INSERT_KEYS: Final = _insert("keys", unit.KEY_COLUMNS)
INSERT_HEADS: Final = _insert("heads", unit.HEAD_COLUMNS)
UPDATE_ALLOCATIONS: Final = _update("allocations", unit.ALLOCATION_CHANGES, "status")
UPDATE_HEADS: Final = _update("heads", unit.HEAD_CHANGES, "version")
DELETE_HEADS: Final = {1: "DELETE FROM heads WHERE id = ? AND version = 0"}
UPSERT_WINDOWS: Final = _insert(
    "windows",
    unit.WINDOW_COLUMNS,
    "ON CONFLICT (head_id, start_us) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in unit.WINDOW_COLUMNS[2:]),
)
ADD_SERIES: Final = _insert("series", unit.SERIES_COLUMNS, "ON CONFLICT (id) DO NOTHING")
ADD_ROLLUPS: Final = _insert(
    "rollups",
    unit.ROLLUP_COLUMNS,
    "ON CONFLICT (grain, start_us, series_id) DO UPDATE SET "
    + ", ".join(f"{column} = {column} + excluded.{column}" for column in unit.ROLLUP_COLUMNS[3:]),
)
ADD_ALERTS: Final = _insert(
    "alerts",
    unit.ALERT_COLUMNS,
    'ON CONFLICT (policy_id, "partition", window_us, kind) DO NOTHING',
)
TELL_ALERTS: Final = {
    1: _filled(
        "INSERT INTO entries (<columns>) SELECT <row> "
        "WHERE EXISTS (SELECT 1 FROM alerts WHERE id = ?)",
        columns=_quoted(unit.ENTRY_COLUMNS),
        row=", ".join("?" * len(unit.ENTRY_COLUMNS)),
    )
}
"""Takes ALERT_ENTRY_COLUMNS."""

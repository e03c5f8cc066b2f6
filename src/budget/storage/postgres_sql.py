"""The statements of a batch on PostgreSQL, each over whole arrays of keys or rows.

A table is written by one statement that unnests an array for each column. What locks rows, or may
collide with another process, does so in one fixed order. Not here: when they run (`postgres_unit`).
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Text

from budget.storage import schema, unit
from budget.storage.postgres_wire import Statement

CATALOGUE_LOCK: Final = 0x627564676574
"""The advisory lock that stands for the catalogue ("budget" in ASCII); locks are per database."""

_TYPES: Final = {"t": "text[]", "n": "bigint[]", "i": "bigint"}


def _statement(name: str, template: str, parameters: str = "", **parts: str) -> Statement:
    """A statement; `<part>` in the template is replaced, and so is `<1>` by a typed parameter."""
    text = template
    for at, kind in enumerate(parameters, 1):
        text = text.replace(f"<{at}>", f"${at}::{_TYPES[kind]}")
    for part, value in parts.items():
        text = text.replace(f"<{part}>", value)
    return Statement(f"budget_{name}".encode(), " ".join(text.split()), parameters)


def _quoted(columns: Sequence[str], table: str = "") -> str:
    prefix = f"{table}." if table else ""
    return ", ".join(f'{prefix}"{column}"' for column in columns)


def _kinds(table: str, columns: Sequence[str]) -> str:
    types = schema.metadata.tables[table].columns
    return "".join("t" if isinstance(types[column].type, Text) else "n" for column in columns)


def _unnest(kinds: str, alias: str, columns: Sequence[str]) -> str:
    """The rows of the first parameters, an array for each column, named as the columns are."""
    arrays = ", ".join(f"${at}::{_TYPES[kind]}" for at, kind in enumerate(kinds, 1))
    return f"unnest({arrays}) AS {alias} ({_quoted(columns)})"


def _insert(table: str, columns: Sequence[str], rest: str = "") -> Statement:
    kinds = _kinds(table, columns)
    return _statement(
        f"insert_{table}",
        "INSERT INTO <table> AS old (<columns>) SELECT <columns> FROM <rows> <rest>",
        kinds,
        table=table,
        columns=_quoted(columns),
        rows=_unnest(kinds, "new", columns),
        rest=rest,
    )


# Counts what a change has met, and fails in the server if that is not what was expected: a COMMIT
# that is under way behind it is then not carried out.
_CHECKED: Final = """
WITH done AS (<change> RETURNING 1)
SELECT CASE WHEN count(*) = <expected> THEN 0
       ELSE ('<table>: ' || count(*) || ' rows instead of ' || <expected>)::integer END
FROM done
"""


def _checked(name: str, table: str, change: str, kinds: str) -> Statement:
    expected = f"${len(kinds) + 1}::bigint"
    return _statement(name, _CHECKED, kinds + "i", change=change, table=table, expected=expected)


def _update(table: str, changes: Sequence[str], key: Sequence[str], guard: str = "") -> Statement:
    """Set `changes` where the key, and the guarding column's value before, are as given."""
    names = [*changes, *key, *(["expected"] if guard else [])]
    columns = [*changes, *key, *([guard] if guard else [])]
    kinds = _kinds(table, columns)
    sets = ", ".join(f'"{column}" = new."{column}"' for column in changes)
    match = " AND ".join(f'old."{column}" = new."{column}"' for column in key)
    if guard:
        match += f' AND old."{guard}" = new.expected'
    rows = _unnest(kinds, "new", names)
    change = " ".join(("UPDATE", table, "AS old SET", sets, "FROM", rows, "WHERE", match))
    return _checked(f"update_{table}", table, change, kinds)


def _delete(table: str, key: Sequence[str]) -> Statement:
    kinds = _kinds(table, key)
    match = " AND ".join(f'old."{column}" = gone."{column}"' for column in key)
    rows = _unnest(kinds, "gone", key)
    change = " ".join(("DELETE FROM", table, "AS old USING", rows, "WHERE", match))
    return _checked(f"delete_{table}", table, change, kinds)


# --- The transaction -----------------------------------------------------------------------------

BEGIN: Final = _statement("begin", "BEGIN ISOLATION LEVEL READ COMMITTED")
COMMIT: Final = _statement("commit", "COMMIT")
ROLLBACK: Final = _statement("rollback", "ROLLBACK")

SHARE_CATALOGUE: Final = _statement(
    "share_catalogue",
    "SELECT 1 FROM pg_advisory_xact_lock_shared(<lock>)",
    lock=str(CATALOGUE_LOCK),
)
OWN_CATALOGUE: Final = _statement(
    "own_catalogue", "SELECT 1 FROM pg_advisory_xact_lock(<lock>)", lock=str(CATALOGUE_LOCK)
)
STATE: Final = _statement(
    "state",
    """
    SELECT epoch, pg_current_xact_id()::text::bigint, catalogue_version,
           (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    FROM state WHERE id = 1
    """,
)

# --- Keys ----------------------------------------------------------------------------------------

_KEY: Final = unit.KEY_COLUMNS[:3]

CLAIM_KEYS: Final = _statement(
    "claim_keys",
    """
    INSERT INTO keys (<columns>) SELECT <columns> FROM <rows>
    ORDER BY "actor" COLLATE "C", "act" COLLATE "C", "key" COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING <key>
    """,
    _kinds("keys", unit.KEY_COLUMNS),
    columns=_quoted(unit.KEY_COLUMNS),
    key=_quoted(_KEY),
    rows=_unnest(_kinds("keys", unit.KEY_COLUMNS), "new", unit.KEY_COLUMNS),
)
KEYS: Final = _statement(
    "keys",
    "SELECT <columns> FROM <rows> JOIN keys AS old USING (<key>)",
    "ttt",
    columns=_quoted(unit.KEY_COLUMNS, "old"),
    key=_quoted(_KEY),
    rows=_unnest("ttt", "wanted", _KEY),
)

# --- Allocations ---------------------------------------------------------------------------------

_ALLOCATIONS: Final = _quoted(unit.ALLOCATION_COLUMNS, "a")

# What is an envelope, and whose child a call is, never changes: that may be read before the lock.
LOCK_ENVELOPES: Final = _statement(
    "lock_envelopes",
    """
    WITH named AS MATERIALIZED (
        SELECT id, parent_id, envelope FROM allocations WHERE id = ANY (<1>)
    )
    SELECT <columns> FROM allocations AS a
    WHERE a.id IN (
        SELECT id FROM named WHERE envelope = 1 UNION
        SELECT parent_id FROM named WHERE parent_id IS NOT NULL
    )
    ORDER BY a.id COLLATE "C" FOR UPDATE OF a
    """,
    "t",
    columns=_ALLOCATIONS,
)
# Who changes a child holds its parent's lock, so that a child found open here stays open. The
# status is disguised, or the planner, ignorant of fresh tables, may read the index of all that
# are open.
LOCK_CALLS: Final = _statement(
    "lock_calls",
    """
    SELECT <columns> FROM allocations AS a
    WHERE a.envelope = 0 AND a.id IN (
        SELECT unnest(<1>) UNION
        SELECT child.id FROM allocations AS child
        WHERE child.parent_id = ANY (<2>) AND child.parent_id IS NOT NULL
              AND child.status || '' = 'open'
    )
    ORDER BY a.id COLLATE "C" FOR UPDATE OF a
    """,
    "tt",
    columns=_ALLOCATIONS,
)
DUE: Final = _statement(
    "due",
    """
    SELECT id FROM allocations WHERE status = 'open' AND expires_us <= <1>
    ORDER BY expires_us, id COLLATE "C" LIMIT <2>
    """,
    "ii",
)

# --- Usage and entries ---------------------------------------------------------------------------

_USAGE: Final = _quoted(unit.USAGE_COLUMNS, "u")

USAGE: Final = _statement(
    "usage", "SELECT <columns> FROM usage AS u WHERE u.id = ANY (<1>)", "t", columns=_USAGE
)
SETTLING_USAGE: Final = _statement(
    "settling_usage",
    """
    SELECT <columns> FROM allocations AS a JOIN usage AS u ON u.id = a.settled_by
    WHERE a.id = ANY (<1>)
    """,
    "t",
    columns=_USAGE,
)
REVERSALS: Final = _statement(
    "reversals",
    "SELECT reverses, id FROM usage WHERE reverses = ANY (<1>) AND reverses IS NOT NULL",
    "t",
)
ENTRY_LEGS: Final = _statement(
    "entry_legs", "SELECT id, legs FROM entries WHERE id = ANY (<1>)", "n"
)

# --- Balances ------------------------------------------------------------------------------------

# What is there is left out first, or each attempt would use up a number of the sequence.
CREATE_HEADS: Final = _statement(
    "create_heads",
    """
    INSERT INTO heads (<columns>)
    SELECT new.policy_id, new.partition, <nothing>
    FROM unnest(<1>, <2>) AS new (policy_id, partition)
    WHERE NOT EXISTS (
        SELECT FROM heads AS old
        WHERE old.policy_id = new.policy_id AND old.partition = new.partition
    )
    ORDER BY new.policy_id COLLATE "C", new.partition COLLATE "C"
    ON CONFLICT (policy_id, partition) DO NOTHING RETURNING id
    """,
    "tt",
    columns=_quoted(unit.HEAD_COLUMNS[1:]),
    nothing=", ".join(f"'{value}'" for value in unit.NEW_HEAD),
)
LOCK_HEADS: Final = _statement(
    "lock_heads",
    """
    SELECT <columns> FROM heads AS h
    WHERE h.id IN (
        SELECT unnest(<3>) UNION
        SELECT wanted.id FROM unnest(<1>, <2>) AS pair (policy_id, partition)
        JOIN heads AS wanted
        ON wanted.policy_id = pair.policy_id AND wanted.partition = pair.partition
    )
    ORDER BY h.id FOR UPDATE OF h
    """,
    "ttn",
    columns=_quoted(unit.HEAD_COLUMNS, "h"),
)
WINDOWS: Final = _statement(
    "windows",
    """
    SELECT <columns> FROM unnest(<1>, <2>) AS wanted (head_id, start_us)
    JOIN windows AS w ON w.head_id = wanted.head_id AND w.start_us = wanted.start_us
    """,
    "nn",
    columns=_quoted(unit.WINDOW_COLUMNS, "w"),
)

# --- Writing -------------------------------------------------------------------------------------

INSERT_ENTRIES: Final = _insert("entries", unit.ENTRY_COLUMNS)
INSERT_ALLOCATIONS: Final = _insert("allocations", unit.ALLOCATION_COLUMNS)
INSERT_USAGE: Final = _insert("usage", unit.USAGE_COLUMNS)
INSERT_USAGE_TAGS: Final = _insert("usage_tags", unit.USAGE_TAG_COLUMNS)

UPDATE_ALLOCATIONS: Final = _update("allocations", unit.ALLOCATION_CHANGES, ("id",), "status")
UPDATE_HEADS: Final = _update("heads", unit.HEAD_CHANGES, ("id",), "version")
INSERT_KEYS: Final = _insert("keys", unit.KEY_COLUMNS)
UPDATE_KEYS: Final = _update("keys", unit.KEY_COLUMNS[3:], _KEY)
DELETE_KEYS: Final = _delete("keys", _KEY)
DELETE_HEADS: Final = _delete("heads", ("id",))

UPSERT_WINDOWS: Final = _insert(
    "windows",
    unit.WINDOW_COLUMNS,
    "ORDER BY head_id, start_us ON CONFLICT (head_id, start_us) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in unit.WINDOW_COLUMNS[2:]),
)
ADD_SERIES: Final = _insert(
    "series", unit.SERIES_COLUMNS, 'ORDER BY id COLLATE "C" ON CONFLICT (id) DO NOTHING'
)
ADD_ROLLUPS: Final = _insert(
    "rollups",
    unit.ROLLUP_COLUMNS,
    'ORDER BY grain COLLATE "C", start_us, series_id COLLATE "C" '
    "ON CONFLICT (grain, start_us, series_id) DO UPDATE SET "
    + ", ".join(
        f"{column} = old.{column} + excluded.{column}" for column in unit.ROLLUP_COLUMNS[3:]
    ),
)
ADD_ALERTS: Final = _insert(
    "alerts",
    unit.ALERT_COLUMNS,
    'ORDER BY policy_id COLLATE "C", "partition" COLLATE "C", window_us, kind COLLATE "C" '
    'ON CONFLICT (policy_id, "partition", window_us, kind) DO NOTHING',
)
_TOLD: Final = _kinds("entries", unit.ENTRY_COLUMNS) + "t"
TELL_ALERTS: Final = _statement(
    "tell_alerts",
    "INSERT INTO entries (<columns>) SELECT <columns> FROM <rows> "
    'WHERE EXISTS (SELECT 1 FROM alerts WHERE alerts.id = "alert_id")',
    _TOLD,
    columns=_quoted(unit.ENTRY_COLUMNS),
    rows=_unnest(_TOLD, "new", unit.ALERT_ENTRY_COLUMNS),
)

ALL: Final = tuple(value for value in list(globals().values()) if isinstance(value, Statement))
"""What a connection prepares."""

"""Triggers: that entries, usage records and blocks cannot be changed (I14)."""

from typing import Final

from sqlalchemy import Connection, text

from budget.engine.audit.findings import Findings

GUARDED: Final = ("entries", "usage", "blocks")

_SQLITE: Final = text("SELECT tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
_POSTGRES: Final = text(
    """
    SELECT c.relname, t.tgtype, p.prosrc
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND c.relnamespace = (
        SELECT relnamespace FROM pg_class WHERE oid = 'entries'::regclass)
    """
)
_POSTGRES_BITS: Final = {"DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
_BEFORE: Final = 2


def check_triggers(connection: Connection, findings: Findings) -> None:
    """A trigger refuses each way to change what is booked."""
    if connection.dialect.name == "postgresql":
        wanted, found = tuple(_POSTGRES_BITS), _on_postgres(connection)
    else:
        wanted, found = ("UPDATE", "DELETE"), _on_sqlite(connection)
    for table in GUARDED:
        for act in wanted:
            if (table, act) not in found:
                findings.add("I14", table, f"no trigger refuses {act}")


def _on_sqlite(connection: Connection) -> set[tuple[str, str]]:
    refused = set()
    for table, sql in connection.execute(_SQLITE):
        head, _, body = sql.upper().partition("BEGIN")
        words = head.split()
        if "RAISE(ABORT" in body.replace(" ", "") and "WHEN" not in words and "OF" not in words:
            refused |= {(table, act) for act in ("UPDATE", "DELETE") if f"BEFORE {act}" in head}
    return refused


def _on_postgres(connection: Connection) -> set[tuple[str, str]]:
    refused = set()
    for table, kind, body in connection.execute(_POSTGRES):
        if kind & _BEFORE and "RAISE EXCEPTION" in body.upper():
            refused |= {(table, act) for act, bit in _POSTGRES_BITS.items() if kind & bit}
    return refused

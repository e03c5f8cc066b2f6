"""The schema: that the writer's rows fill its tables, and what both engines make of its types."""

import pytest
from sqlalchemy import CheckConstraint, Dialect, Integer, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from budget.domain.balances import MAX_BALANCE
from budget.storage import schema, unit

SQLITE: Dialect = sqlite.dialect()
POSTGRES: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

TABLES = list(schema.metadata.tables.values())

INSERTED = {
    "allocations": unit.ALLOCATION_COLUMNS,
    "heads": unit.HEAD_COLUMNS,
    "windows": unit.WINDOW_COLUMNS,
    "entries": unit.ENTRY_COLUMNS,
    "usage": unit.USAGE_COLUMNS,
    "usage_tags": unit.USAGE_TAG_COLUMNS,
    "keys": unit.KEY_COLUMNS,
    "series": unit.SERIES_COLUMNS,
    "rollups": unit.ROLLUP_COLUMNS,
    "alerts": unit.ALERT_COLUMNS,
}


def named(table: Table) -> str:
    return table.name


@pytest.mark.parametrize("name", INSERTED)
def test_a_row_of_the_writer_has_the_columns_of_the_tables_order_that_it_fills(name: str) -> None:
    columns = tuple(schema.metadata.tables[name].columns.keys())
    assert INSERTED[name] == columns[: len(INSERTED[name])]
    later = schema.metadata.tables[name].columns.values()[len(INSERTED[name]) :]
    assert all(column.nullable for column in later)


def test_updates_name_columns_of_their_tables() -> None:
    assert set(unit.HEAD_CHANGES) < set(unit.HEAD_COLUMNS)
    assert set(unit.ALLOCATION_CHANGES) < set(unit.ALLOCATION_COLUMNS)
    assert len(unit.NEW_HEAD) == len(unit.HEAD_CHANGES)
    assert unit.HEAD_COLUMNS[3:] == unit.HEAD_CHANGES


@pytest.mark.parametrize("table", TABLES, ids=named)
def test_sqlite_tables_are_strict_and_know_integers_text_and_bytes_only(table: Table) -> None:
    written = str(CreateTable(table).compile(dialect=SQLITE))
    assert written.rstrip().endswith("STRICT")
    types = {column.type.compile(dialect=SQLITE) for column in table.columns}
    assert types <= {"BLOB", "INTEGER", "TEXT"}


@pytest.mark.parametrize("table", TABLES, ids=named)
def test_on_postgres_money_and_instants_have_64_bits_and_text_sorts_by_code_point(
    table: Table,
) -> None:
    for column in table.columns:
        written = column.type.compile(dialect=POSTGRES)
        if isinstance(column.type, Text):
            assert written == 'TEXT COLLATE "C"'
        elif column.name.endswith(("_us", "_nanos", "_tokens", "spent", "_held", "_left")):
            assert written == "BIGINT"
        else:
            assert written in ("BIGINT", "BYTEA", "INTEGER", "SMALLINT")


def test_every_table_has_a_primary_key_and_names_for_all_its_constraints() -> None:
    for table in TABLES:
        assert table.primary_key.columns
        for constraint in table.constraints:
            assert constraint.name


def test_a_balance_at_its_bounds_adds_up_to_a_64_bit_integer() -> None:
    assert schema.MAX_AMOUNT == MAX_BALANCE
    assert 2 * schema.MAX_AMOUNT < 2**63


def test_the_accounts_of_a_balance_are_checked_by_the_tables() -> None:
    for table in (schema.heads, schema.windows):
        checked = {
            str(constraint.sqltext).split()[0]
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }
        assert {"spent", "reserved", "assumed", "overrun"} <= checked


def test_ids_that_pack_a_cursor_are_given_by_the_ledger_and_not_by_the_database() -> None:
    (id_,) = schema.entries.primary_key.columns
    assert isinstance(id_.type, Integer)
    assert id_.autoincrement is False

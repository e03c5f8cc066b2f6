"""Columns: the kinds that tables are made of, the same on both engines.

Not here: the tables (`schema`, `price_tables`).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

MAX_AMOUNT = 4 * 10**18

# STRICT tables of SQLite know one kind of integer.
BIG = BigInteger().with_variant(Integer(), "sqlite")
SMALL = SmallInteger().with_variant(Integer(), "sqlite")
# Sorted by code point on both engines: SQLite does so anyway, and on PostgreSQL an index so sorted
# outlives an upgrade of the system's locales, and answers prefixes.
WORDS = Text().with_variant(Text(collation="C"), "postgresql")
BYTES = LargeBinary()


def id_column(name: str = "id") -> Column[str]:
    """The primary key, of text."""
    return Column(name, WORDS, primary_key=True)


def blob(name: str) -> Column[bytes]:
    """Bytes."""
    return Column(name, BYTES, nullable=False)


def words(name: str, *, null: bool = False) -> Column[str]:
    """Text."""
    return Column(name, WORDS, nullable=null)


def whole(name: str, *, null: bool = False) -> Column[int]:
    """A 64-bit integer."""
    return Column(name, BIG, nullable=null)


def flag(name: str) -> Column[int]:
    """0 or 1, or another small integer."""
    return Column(name, SMALL, nullable=False)


def between(name: str, low: int, high: int) -> CheckConstraint:
    """A check that a column stays within bounds."""
    return CheckConstraint(f"{name} BETWEEN {low} AND {high}", name=f"{name}_range")


def one_of(name: str, *values: str) -> CheckConstraint:
    """A check that a column is one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{name} IN ({listed})", name=f"{name}_known")


# Without a rowid only where rows are short: measured on SQLite, wide rows with text keys
# (allocations, usage, keys) write a sixth fewer pages with one.
def table(name: str, *parts: Any, rowid: bool = True) -> Table:
    """A table of the one schema."""
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)

"""The schema, one for SQLite and PostgreSQL: what the books look like at rest.

Instants are microseconds since 1970 (UTC), money is nano-USD, ids of people's things are text.
Entries and usage records are never updated or deleted: triggers of the first migration see to it.
Not here: how tables come to be (`migrations`), who reads and writes them (`unit`, `queries`).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql

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
WORDS = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _id(name: str = "id") -> Column[str]:
    return Column(name, WORDS, primary_key=True)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, WORDS, nullable=null)


def _int(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BIG, nullable=null)


def _flag(name: str) -> Column[int]:
    return Column(name, SMALL, nullable=False)


def _between(name: str, low: int, high: int) -> CheckConstraint:
    return CheckConstraint(f"{name} BETWEEN {low} AND {high}", name=f"{name}_range")


def _one_of(name: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{name} IN ({listed})", name=f"{name}_known")


# Without a rowid only where rows are short: measured on SQLite, wide rows with text keys
# (allocations, usage, keys) write a sixth fewer pages with one.
def _table(name: str, *parts: Any, rowid: bool = True) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)


state = _table(
    "state",
    Column("id", Integer, primary_key=True, autoincrement=False),
    _int("epoch"),
    _int("xid"),
    _int("catalogue_version"),
    CheckConstraint("id = 1", name="one_row"),
)
"""One row: the epoch, the last transaction number (SQLite) and the catalogue's version."""

budgets = _table(
    "budgets",
    _id("budget_id"),
    _text("name"),
    _text("description"),
    _text("owner"),
    _text("scope"),
    _text("per"),
    _text("unpriced", null=True),
    _text("metadata"),
    _int("created_us"),
    _int("updated_us"),
    _int("archived_us", null=True),
)

policies = _table(
    "policies",
    _id("policy_id"),
    _text("budget_id"),
    _text("unit"),
    _text("period"),
    _text("timezone"),
    _text("reset_day"),
    _int("limit_amount"),
    _text("enforcement"),
    Column("warning_bps", Integer, nullable=False),
    Column("action_bps", Integer, nullable=False),
    _flag("rollover"),
    _text("on_expiry"),
    _text("headroom"),
    _text("partition_by"),
    _text("limits"),
    _int("created_us"),
    _int("archived_us", null=True),
    _text("succeeds", null=True),
    _one_of("unit", "usd", "tokens", "input_tokens", "output_tokens", "requests"),
    _one_of("enforcement", "ignore", "warn", "soft_limit", "hard_limit"),
    _one_of("on_expiry", "assume", "release"),
    _between("limit_amount", 0, 10**18),
    _between("warning_bps", 0, 10_000),
    _between("action_bps", 0, 10_000),
    Index(None, "budget_id"),
)

top_ups = _table(
    "top_ups",
    _id("top_up_id"),
    _text("policy_id"),
    _text("partition", null=True),
    _int("amount"),
    _int("at_us"),
    _int("until_us"),
    _text("actor"),
    _text("reason"),
    _between("amount", 1, 10**18),
    Index(None, "policy_id"),
)

heads = _table(
    "heads",
    Column("id", BIG, primary_key=True),
    _text("policy_id"),
    _text("partition"),
    _int("version"),
    _int("last_us"),
    _int("start_us"),
    _int("end_us"),
    _int("spent"),
    _int("reserved"),
    _int("assumed"),
    _int("overrun"),
    _int("carry"),
    _text("buckets"),
    _between("spent", 0, MAX_AMOUNT),
    _between("reserved", 0, MAX_AMOUNT),
    _between("assumed", 0, MAX_AMOUNT),
    _between("overrun", 0, MAX_AMOUNT),
    UniqueConstraint("policy_id", "partition"),
)
"""One row for each (policy, partition): its open window, or its buckets packed as JSON."""

windows = _table(
    "windows",
    Column("head_id", BIG, primary_key=True),
    Column("start_us", BIG, primary_key=True),
    _int("end_us"),
    _int("spent"),
    _int("reserved"),
    _int("assumed"),
    _int("overrun"),
    _int("carry"),
    _between("spent", 0, MAX_AMOUNT),
    _between("reserved", 0, MAX_AMOUNT),
    _between("assumed", 0, MAX_AMOUNT),
    _between("overrun", 0, MAX_AMOUNT),
    CheckConstraint("start_us < end_us", name="order"),
    rowid=False,
)
"""Windows that have ended, moved here from their head when the next one opened."""

allocations = _table(
    "allocations",
    _id(),
    _text("status"),
    _text("actor"),
    _text("parent_id", null=True),
    _flag("envelope"),
    _text("attributes"),
    _text("provider", null=True),
    _text("model", null=True),
    _text("session", null=True),
    _flag("priority"),
    _int("placed_us"),
    _int("expires_us"),
    _int("ttl_us"),
    _text("rates", null=True),
    _text("legs"),
    _int("usd_held", null=True),
    _int("tokens_held", null=True),
    _int("requests_held", null=True),
    _int("usd_left", null=True),
    _int("tokens_left", null=True),
    _int("requests_left", null=True),
    _int("usd_first", null=True),
    _int("tokens_first", null=True),
    _int("requests_first", null=True),
    _int("input_tokens", null=True),
    _int("granted_first", null=True),
    _int("granted", null=True),
    Column("records", Integer, nullable=False),
    _text("settled_by", null=True),
    _text("request_hash"),
    _text("metadata"),
    _int("updated_us"),
    _one_of("status", "open", "settled", "released", "expired"),
    _between("usd_held", 0, MAX_AMOUNT),
    _between("tokens_held", 0, MAX_AMOUNT),
    _between("requests_held", 0, MAX_AMOUNT),
    Index("ix_allocations_due", "expires_us", sqlite_where=text("status = 'open'"),
          postgresql_where=text("status = 'open'")),
    Index("ix_allocations_placed", "placed_us", "id"),
    Index("ix_allocations_parent", "parent_id", sqlite_where=text("parent_id IS NOT NULL"),
          postgresql_where=text("parent_id IS NOT NULL")),
    Index("ix_allocations_session", "session", sqlite_where=text("session IS NOT NULL"),
          postgresql_where=text("session IS NOT NULL")),
)  # fmt: skip

usage = _table(
    "usage",
    _id(),
    _text("allocation_id", null=True),
    _int("entry_id"),
    _text("actor"),
    _int("recorded_us"),
    _int("occurred_us"),
    _text("attributes"),
    _text("provider", null=True),
    _text("model", null=True),
    _text("session", null=True),
    _text("task", null=True),
    _int("input_tokens"),
    _int("output_tokens"),
    _int("cache_read_tokens"),
    _int("cache_write_tokens"),
    _int("cache_write_1h_tokens"),
    _int("reasoning_tokens"),
    _int("requests"),
    _int("cost_nanos", null=True),
    _int("reported_cost_nanos", null=True),
    _text("rates", null=True),
    _text("flags"),
    _flag("final"),
    _text("reverses", null=True),
    _text("replaces", null=True),
    _text("reason", null=True),
    _text("request_hash"),
    _text("metadata"),
    _text("units"),
    _between("input_tokens", -MAX_AMOUNT, MAX_AMOUNT),
    _between("output_tokens", -MAX_AMOUNT, MAX_AMOUNT),
    _between("requests", -MAX_AMOUNT, MAX_AMOUNT),
    _between("cost_nanos", -MAX_AMOUNT, MAX_AMOUNT),
    Index("ix_usage_allocation", "allocation_id", sqlite_where=text("allocation_id IS NOT NULL"),
          postgresql_where=text("allocation_id IS NOT NULL")),
    Index("ix_usage_occurred", "occurred_us", "id"),
    Index("ix_usage_session", "session", sqlite_where=text("session IS NOT NULL"),
          postgresql_where=text("session IS NOT NULL")),
    Index("ix_usage_task", "task", sqlite_where=text("task IS NOT NULL"),
          postgresql_where=text("task IS NOT NULL")),
    Index("ix_usage_reverses", "reverses", unique=True,
          sqlite_where=text("reverses IS NOT NULL"), postgresql_where=text("reverses IS NOT NULL")),
)  # fmt: skip
"""What calls consumed. Reversing rows carry the negated counts and cost of the row they reverse."""

usage_tags = _table(
    "usage_tags",
    Column("name", WORDS, primary_key=True),
    Column("value", WORDS, primary_key=True),
    Column("usage_id", WORDS, primary_key=True),
    rowid=False,
)

entries = _table(
    "entries",
    Column("id", BIG, primary_key=True, autoincrement=False),
    _int("at_us"),
    _text("kind"),
    _text("actor"),
    _text("allocation_id", null=True),
    _text("usage_id", null=True),
    _text("budget_id", null=True),
    _text("policy_id", null=True),
    _text("legs"),
    _text("detail"),
    Index("ix_entries_backfilled", "id", sqlite_where=text("kind = 'backfilled'"),
          postgresql_where=text("kind = 'backfilled'")),
)  # fmt: skip
"""The journal, which is also the stream of events: one immutable row for each accepted command.

`id` packs (epoch, xid, number within the transaction), see `storage.cursors`; it is the readers'
cursor.
`legs` is JSON: [[head_id, cell_us, spent, reserved, assumed, overrun, version, limit|null], ...].
"""

keys = _table(
    "keys",
    Column("actor", WORDS, primary_key=True),
    Column("act", WORDS, primary_key=True),
    Column("key", WORDS, primary_key=True),
    _text("request_hash"),
    _text("ref"),
    _int("at_us"),
    Index(None, "at_us"),
)
"""Idempotency keys of accepted commands, and the id of what each made."""

series = _table(
    "series",
    _id(),
    *(
        _text(name)
        for name in (
            "org", "team", "project", "user", "key", "component", "agent",
            "task_type", "tier", "provider", "model",
        )
    ),
    rowid=False,
)  # fmt: skip
"""One combination of the rolled-up attributes; '' where one is missing; `id` is a hash of them."""

rollups = _table(
    "rollups",
    Column("grain", WORDS, primary_key=True),
    Column("start_us", BIG, primary_key=True),
    Column("series_id", WORDS, primary_key=True),
    _int("records"),
    _int("requests"),
    _int("input_tokens"),
    _int("output_tokens"),
    _int("cache_read_tokens"),
    _int("cache_write_tokens"),
    _int("reasoning_tokens"),
    _int("cost_nanos"),
    _int("unpriced"),
    _one_of("grain", "hour", "day"),
    rowid=False,
)

alerts = _table(
    "alerts",
    _id(),
    _text("kind"),
    _text("severity"),
    _text("policy_id"),
    _text("partition"),
    _int("window_us"),
    _int("at_us"),
    _text("detail"),
    _one_of("severity", "info", "warning", "error"),
    UniqueConstraint("policy_id", "partition", "window_us", "kind"),
    Index(None, "at_us"),
)

api_keys = _table(
    "api_keys",
    _id("key_id"),
    _text("name"),
    _text("secret_hash"),
    _text("scopes"),
    _int("created_us"),
    _int("revoked_us", null=True),
)

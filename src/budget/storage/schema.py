"""The schema, one for SQLite and PostgreSQL: what the books look like at rest.

Instants are microseconds since 1970 (UTC), money is nano-USD, ids of people's things are text.
Entries and usage records are never updated or deleted: triggers of the first migration see to it.
Not here: the tables of prices, of estimates, of keys, of what people are told and of neighbours
(`price_tables`, `estimate_tables`, `key_tables`, `notice_tables`, `neighbour_tables`, named here
too), how tables come to be (`migrations`), who reads and writes them (`unit`).
"""

from sqlalchemy import CheckConstraint, Column, Index, Integer, UniqueConstraint, text

from budget.storage.columns import (
    BIG,
    MAX_AMOUNT,
    WORDS,
    between,
    flag,
    id_column,
    metadata,
    one_of,
    table,
    whole,
    words,
)
from budget.storage.estimate_tables import calibration_state, calibrations
from budget.storage.key_tables import api_keys, login_links, sessions
from budget.storage.neighbour_tables import neighbour_notes
from budget.storage.notice_tables import (
    alerts,
    blocks,
    channels,
    deliveries,
    settings,
    top_up_requests,
)
from budget.storage.price_tables import (
    closed_prices,
    price_overrides,
    price_snapshots,
    price_sources,
    price_state,
    price_updates,
)

__all__ = [
    "AUDITED", "BIG", "MAX_AMOUNT", "REFUSED", "WORDS", "alerts", "allocations", "api_keys",
    "blocks", "budgets", "calibration_state", "calibrations", "channels", "closed_prices",
    "deliveries", "entries", "heads", "keys", "login_links", "metadata", "neighbour_notes",
    "policies", "price_overrides", "price_snapshots", "price_sources", "price_state",
    "price_updates", "rollups", "series", "sessions", "settings", "state", "top_up_requests",
    "top_ups", "usage", "usage_tags", "windows",
]  # fmt: skip

REFUSED = text("kind = 'refused'")
AUDITED = text(
    "kind NOT IN ('placed', 'recorded', 'settled', 'released', 'extended', 'expired', "
    "'reported', 'refused', 'degraded', 'alert_raised', 'alert_resolved')"
)
"""The entries that the audit log shows: what somebody changed, not what calls did."""

state = table(
    "state",
    Column("id", Integer, primary_key=True, autoincrement=False),
    whole("epoch"),
    whole("xid"),
    whole("catalogue_version"),
    Column("alike_after", BIG, nullable=False, server_default=text("-1")),
    CheckConstraint("id = 1", name="one_row"),
)
"""One row: the epoch, the last transaction number (SQLite) and the catalogue's version.

`alike_after` is the last entry that was written while names of models and providers compared as
they were spelled; -1 where none was.
"""

budgets = table(
    "budgets",
    id_column("budget_id"),
    words("name"),
    words("description"),
    words("owner"),
    words("scope"),
    words("per"),
    words("unpriced", null=True),
    words("metadata"),
    whole("created_us"),
    whole("updated_us"),
    whole("archived_us", null=True),
    Column("degrade", WORDS, nullable=False, server_default=text("'[]'")),
)

policies = table(
    "policies",
    id_column("policy_id"),
    words("budget_id"),
    words("unit"),
    words("period"),
    words("timezone"),
    words("reset_day"),
    whole("limit_amount"),
    words("enforcement"),
    Column("warning_bps", Integer, nullable=False),
    Column("action_bps", Integer, nullable=False),
    flag("rollover"),
    words("on_expiry"),
    words("headroom"),
    words("partition_by"),
    words("limits"),
    whole("created_us"),
    whole("archived_us", null=True),
    words("succeeds", null=True),
    one_of("unit", "usd", "tokens", "input_tokens", "output_tokens", "requests"),
    one_of("enforcement", "ignore", "warn", "soft_limit", "hard_limit"),
    one_of("on_expiry", "assume", "release"),
    between("limit_amount", 0, 10**18),
    between("warning_bps", 0, 10_000),
    between("action_bps", 0, 10_000),
    Index(None, "budget_id"),
)

top_ups = table(
    "top_ups",
    id_column("top_up_id"),
    words("policy_id"),
    words("partition", null=True),
    whole("amount"),
    whole("at_us"),
    whole("until_us"),
    words("actor"),
    words("reason"),
    between("amount", 1, 10**18),
    Index(None, "policy_id"),
)

heads = table(
    "heads",
    Column("id", BIG, primary_key=True),
    words("policy_id"),
    words("partition"),
    whole("version"),
    whole("last_us"),
    whole("start_us"),
    whole("end_us"),
    whole("spent"),
    whole("reserved"),
    whole("assumed"),
    whole("overrun"),
    whole("carry"),
    words("buckets"),
    between("spent", 0, MAX_AMOUNT),
    between("reserved", 0, MAX_AMOUNT),
    between("assumed", 0, MAX_AMOUNT),
    between("overrun", 0, MAX_AMOUNT),
    UniqueConstraint("policy_id", "partition"),
)
"""One row for each (policy, partition): its open window, or its buckets packed as JSON."""

windows = table(
    "windows",
    Column("head_id", BIG, primary_key=True),
    Column("start_us", BIG, primary_key=True),
    whole("end_us"),
    whole("spent"),
    whole("reserved"),
    whole("assumed"),
    whole("overrun"),
    whole("carry"),
    between("spent", 0, MAX_AMOUNT),
    between("reserved", 0, MAX_AMOUNT),
    between("assumed", 0, MAX_AMOUNT),
    between("overrun", 0, MAX_AMOUNT),
    CheckConstraint("start_us < end_us", name="order"),
    rowid=False,
)
"""Windows that have ended, moved here from their head when the next one opened."""

allocations = table(
    "allocations",
    id_column(),
    words("status"),
    words("actor"),
    words("parent_id", null=True),
    flag("envelope"),
    words("attributes"),
    words("provider", null=True),
    words("model", null=True),
    words("session", null=True),
    flag("priority"),
    whole("placed_us"),
    whole("expires_us"),
    whole("ttl_us"),
    words("rates", null=True),
    words("legs"),
    whole("usd_held", null=True),
    whole("tokens_held", null=True),
    whole("requests_held", null=True),
    whole("usd_left", null=True),
    whole("tokens_left", null=True),
    whole("requests_left", null=True),
    whole("usd_first", null=True),
    whole("tokens_first", null=True),
    whole("requests_first", null=True),
    whole("input_tokens", null=True),
    whole("granted_first", null=True),
    whole("granted", null=True),
    Column("records", Integer, nullable=False),
    words("settled_by", null=True),
    words("request_hash"),
    words("metadata"),
    whole("updated_us"),
    whole("bound_tokens", null=True),
    words("bound_family", null=True),
    words("price_context", null=True),
    one_of("status", "open", "settled", "released", "expired"),
    between("usd_held", 0, MAX_AMOUNT),
    between("tokens_held", 0, MAX_AMOUNT),
    between("requests_held", 0, MAX_AMOUNT),
    Index("ix_allocations_due", "expires_us", sqlite_where=text("status = 'open'"),
          postgresql_where=text("status = 'open'")),
    Index("ix_allocations_placed", "placed_us", "id"),
    Index("ix_allocations_parent", "parent_id", sqlite_where=text("parent_id IS NOT NULL"),
          postgresql_where=text("parent_id IS NOT NULL")),
    Index("ix_allocations_session", "session", sqlite_where=text("session IS NOT NULL"),
          postgresql_where=text("session IS NOT NULL")),
    Index("ix_allocations_taught", "updated_us", "id",
          sqlite_where=text("bound_tokens IS NOT NULL AND status = 'settled'"),
          postgresql_where=text("bound_tokens IS NOT NULL AND status = 'settled'")),
)  # fmt: skip
"""`bound_tokens`: the plain bound of input tokens of a call that teaches how far it is from true.
"""

usage = table(
    "usage",
    id_column(),
    words("allocation_id", null=True),
    whole("entry_id"),
    words("actor"),
    whole("recorded_us"),
    whole("occurred_us"),
    words("attributes"),
    words("provider", null=True),
    words("model", null=True),
    words("session", null=True),
    words("task", null=True),
    whole("input_tokens"),
    whole("output_tokens"),
    whole("cache_read_tokens"),
    whole("cache_write_tokens"),
    whole("cache_write_1h_tokens"),
    whole("reasoning_tokens"),
    whole("requests"),
    whole("cost_nanos", null=True),
    whole("reported_cost_nanos", null=True),
    words("rates", null=True),
    words("flags"),
    flag("final"),
    words("reverses", null=True),
    words("replaces", null=True),
    words("reason", null=True),
    words("request_hash"),
    words("metadata"),
    words("units"),
    words("price_context", null=True),
    between("input_tokens", -MAX_AMOUNT, MAX_AMOUNT),
    between("output_tokens", -MAX_AMOUNT, MAX_AMOUNT),
    between("requests", -MAX_AMOUNT, MAX_AMOUNT),
    between("cost_nanos", -MAX_AMOUNT, MAX_AMOUNT),
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
"""What calls consumed. Reversing rows carry the negated counts and cost of the row they reverse.

`price_context`: what the call asked for beside its model, whether or not it has a price of its own.
"""

usage_tags = table(
    "usage_tags",
    Column("name", WORDS, primary_key=True),
    Column("value", WORDS, primary_key=True),
    Column("usage_id", WORDS, primary_key=True),
    rowid=False,
)

entries = table(
    "entries",
    Column("id", BIG, primary_key=True, autoincrement=False),
    whole("at_us"),
    words("kind"),
    words("actor"),
    words("allocation_id", null=True),
    words("usage_id", null=True),
    words("budget_id", null=True),
    words("policy_id", null=True),
    words("legs"),
    words("detail"),
    Index("ix_entries_backfilled", "id", sqlite_where=text("kind = 'backfilled'"),
          postgresql_where=text("kind = 'backfilled'")),
    Index("ix_entries_audited", "id", sqlite_where=AUDITED, postgresql_where=AUDITED),
    Index("ix_entries_refused", "id", "at_us", sqlite_where=REFUSED, postgresql_where=REFUSED),
)  # fmt: skip
"""The journal, which is also the stream of events: one immutable row for each accepted command.

`id` packs (epoch, xid, number within the transaction), see `domain.cursors`; it is the readers'
cursor.
`legs` is JSON: [[head_id, cell_us, spent, reserved, assumed, overrun, version, limit|null], ...].
"""

keys = table(
    "keys",
    Column("actor", WORDS, primary_key=True),
    Column("act", WORDS, primary_key=True),
    Column("key", WORDS, primary_key=True),
    words("request_hash"),
    words("ref"),
    whole("at_us"),
    Index(None, "at_us"),
)
"""Idempotency keys of accepted commands, and the id of what each made."""

series = table(
    "series",
    id_column(),
    *(
        words(name)
        for name in (
            "org", "team", "project", "user", "key", "component", "agent",
            "task_type", "tier", "provider", "model",
        )
    ),
    rowid=False,
)  # fmt: skip
"""One combination of the rolled-up attributes; '' where one is missing; `id` is a hash of them."""

rollups = table(
    "rollups",
    Column("grain", WORDS, primary_key=True),
    Column("start_us", BIG, primary_key=True),
    Column("series_id", WORDS, primary_key=True),
    whole("records"),
    whole("requests"),
    whole("input_tokens"),
    whole("output_tokens"),
    whole("cache_read_tokens"),
    whole("cache_write_tokens"),
    whole("reasoning_tokens"),
    whole("cost_nanos"),
    whole("unpriced"),
    one_of("grain", "hour", "day"),
    rowid=False,
)

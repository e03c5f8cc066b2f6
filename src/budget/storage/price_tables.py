"""The tables of the price book: what sources said, what became of it, what operators set.

A snapshot and a price that has ended are never edited: triggers of the second migration see to it.
Not here: what the rows mean (`engine.price_book.rows`).
"""

from sqlalchemy import CheckConstraint, Column, Index, Integer, text

from budget.storage.columns import blob, id_column, one_of, table, whole, words

price_state = table(
    "price_state",
    Column("id", Integer, primary_key=True, autoincrement=False),
    whole("version"),
    CheckConstraint("id = 1", name="one_row"),
)
"""One row: the price book's version, counted up by every change of it."""

price_snapshots = table(
    "price_snapshots",
    id_column("basis"),
    words("source"),
    words("version"),
    words("sha256"),
    whole("models"),
    whole("taken_us"),
    words("origin"),
    words("status"),
    blob("body"),
    one_of("status", "applied", "quarantined", "rejected"),
    Index(None, "source", "taken_us"),
)
"""What a source said, as it came, compressed with gzip. Only its status changes."""

price_sources = table(
    "price_sources",
    id_column("source"),
    words("basis", null=True),
    words("place", null=True),
    words("etag", null=True),
    words("last_modified", null=True),
    whole("checked_us", null=True),
    whole("applied_us", null=True),
    words("error", null=True),
)
"""The snapshot of each source that is in force, and how its last reading went."""

closed_prices = table(
    "closed_prices",
    id_column(),
    words("source"),
    words("provider"),
    words("model"),
    words("context"),
    whole("from_us", null=True),
    whole("until_us", null=True),
    words("schedule"),
    words("basis"),
    words("reason"),
    one_of("reason", "changed", "quarantined", "dropped"),
    Index("ix_closed_prices_kept", "source", "provider", "model", "context", unique=True,
          sqlite_where=text("until_us IS NULL"), postgresql_where=text("until_us IS NULL")),
)  # fmt: skip
"""Prices that a newer snapshot of their source no longer has, and that hold in [from, until).

Without an end they are kept in spite of the newer one: it was not believed, or has none.
"""

price_updates = table(
    "price_updates",
    id_column(),
    whole("at_us"),
    words("source"),
    words("provider"),
    words("model"),
    words("context"),
    words("kind"),
    whole("from_tokens"),
    whole("old_pico", null=True),
    whole("new_pico", null=True),
    whole("change_bps", null=True),
    whole("from_us"),
    words("old_basis", null=True),
    words("new_basis"),
    words("status"),
    words("decided_by", null=True),
    whole("decided_us", null=True),
    words("reason", null=True),
    one_of("status", "applied", "quarantined", "accepted", "rejected", "withdrawn"),
    Index(None, "provider", "model"),
    Index("ix_price_updates_waiting", "source", "provider", "model", "context",
          sqlite_where=text("status IN ('quarantined', 'rejected')"),
          postgresql_where=text("status IN ('quarantined', 'rejected')")),
)  # fmt: skip
"""What changed of which price, one row for each kind of unit, and what was decided about it."""

price_overrides = table(
    "price_overrides",
    id_column(),
    words("provider", null=True),
    words("model"),
    words("context"),
    words("rates"),
    whole("from_us", null=True),
    whole("until_us", null=True),
    words("actor"),
    words("reason"),
    whole("created_us"),
    Index(None, "model"),
)
"""Prices that an operator has set, which win over every source. Only their end changes."""

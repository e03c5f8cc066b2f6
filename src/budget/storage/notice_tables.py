"""The tables of what people are told and asked: alerts, channels, deliveries, requests, settings.

Not here: what raises an alert (`engine.batch`), who is told of it (`engine.notices`).
"""

from sqlalchemy import Column, Index, UniqueConstraint, text

from budget.storage.columns import BIG, between, blob, flag, id_column, one_of, table, whole, words

alerts = table(
    "alerts",
    id_column(),
    words("kind"),
    words("severity"),
    words("policy_id"),
    words("partition"),
    whole("window_us"),
    whole("at_us"),
    words("detail"),
    whole("entry_id", null=True),
    whole("acknowledged_us", null=True),
    words("acknowledged_by", null=True),
    whole("dismissed_us", null=True),
    words("dismissed_by", null=True),
    whole("resolved_us", null=True),
    words("note", null=True),
    one_of("severity", "info", "warning", "error"),
    UniqueConstraint("policy_id", "partition", "window_us", "kind"),
    Index(None, "at_us"),
    Index("ix_alerts_live", "at_us", "id", sqlite_where=text("resolved_us IS NULL"),
          postgresql_where=text("resolved_us IS NULL")),
)  # fmt: skip
"""`entry_id`: the entry of the journal that tells of it; null for alerts of before there were any.
`note`: what was said when it was acknowledged.
"""

channels = table(
    "channels",
    id_column("channel_id"),
    words("name"),
    words("kind"),
    words("target"),
    words("secret", null=True),
    words("former_secret", null=True),
    whole("former_until_us", null=True),
    words("wanted"),
    words("quiet", null=True),
    whole("digest_us", null=True),
    words("bound"),
    flag("enabled"),
    words("created_by"),
    whole("created_us"),
    whole("updated_us"),
    whole("archived_us", null=True),
    whole("after"),
    one_of("kind", "webhook", "email", "chat"),
)
"""Where notices go. `target` and `wanted` are JSON; `after` is the last entry that was considered.

A webhook's secret signs what is sent, so it has to be kept as it is.
"""

deliveries = table(
    "deliveries",
    id_column("delivery_id"),
    words("channel_id"),
    whole("entry_id"),
    words("status"),
    whole("attempts"),
    whole("due_us"),
    whole("created_us"),
    whole("done_us", null=True),
    words("answer", null=True),
    words("digest_id", null=True),
    one_of("status", "pending", "delivered", "dead", "skipped"),
    between("attempts", 0, 1000),
    UniqueConstraint("channel_id", "entry_id"),
    Index("ix_deliveries_due", "channel_id", "due_us", "entry_id",
          sqlite_where=text("status = 'pending'"), postgresql_where=text("status = 'pending'")),
    Index("ix_deliveries_created", "channel_id", "created_us", "entry_id"),
)  # fmt: skip
"""The outbox: what each channel is still to be told, was told, and could not be told.

`due_us` is when it is tried next; whoever sends it pushes that ahead first, so that others let it
be. `digest_id`: the one message that it goes out in together with others.
"""

top_up_requests = table(
    "top_up_requests",
    id_column("request_id"),
    words("budget_id"),
    words("policy_id"),
    words("partition", null=True),
    whole("amount"),
    whole("until_us", null=True),
    words("reason"),
    words("actor"),
    words("status"),
    whole("created_us"),
    whole("expires_us"),
    whole("decided_us", null=True),
    words("decided_by", null=True),
    words("decision", null=True),
    words("top_up_id", null=True),
    one_of("status", "pending", "approved", "rejected", "withdrawn"),
    between("amount", 1, 10**18),
    Index(None, "budget_id", "created_us"),
    Index(None, "created_us", "request_id"),
)
"""Top-ups that somebody asks for; one who has the right approves or rejects them."""

settings = table(
    "settings",
    id_column("name"),
    words("value"),
    whole("updated_us"),
    words("updated_by"),
)
"""What can be set while Budget runs, each as JSON."""

blocks = table(
    "blocks",
    Column("number", BIG, primary_key=True, autoincrement=False),
    whole("first_entry_id"),
    whole("last_entry_id"),
    whole("entries"),
    blob("digests"),
    words("former_hash"),
    words("block_hash"),
    whole("sealed_us"),
    between("entries", 1, 10**9),
)
"""Seals of the journal, never edited: each block has the digest of every entry that it spans, and
hashes them with the block before it (`engine.sealing`).
"""

"""What the API needs: rights of keys, sessions, the life of alerts, channels, requests, seals."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SMALL: Final = sa.SmallInteger().with_variant(sa.Integer(), "sqlite")
_WORDS: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_AUDITED: Final = sa.text(
    "kind NOT IN ('placed', 'recorded', 'settled', 'released', 'extended', 'expired', "
    "'reported', 'refused', 'alert_raised', 'alert_resolved')"
)
_LIVE: Final = sa.text("resolved_us IS NULL")
_PENDING: Final = sa.text("status = 'pending'")


def upgrade() -> None:
    """Keys of before are bound to nothing; those of the admin may ask for any priority."""
    _keys()
    _alerts()
    _channels()
    _requests_and_settings()
    _seals()


def _words(name: str, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, _WORDS, nullable=null)


def _whole(name: str, *, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, _BIG, nullable=null)


def _keys() -> None:
    for column in (
        sa.Column("bound", _WORDS, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("max_priority", _SMALL, nullable=False, server_default=sa.text("5")),
        _whole("expires_us", null=True),
        _whole("last_used_us", null=True),
        _words("created_by", null=True),
        _words("rotates", null=True),
    ):
        op.add_column("api_keys", column)
    op.execute("UPDATE api_keys SET max_priority = 10 WHERE scopes = 'admin'")
    op.create_table(
        "login_links",
        _words("link_hash"),
        _words("key_id"),
        _whole("created_us"),
        _whole("expires_us"),
        _whole("used_us", null=True),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_login_links")),
        sqlite_strict=True,
    )
    op.create_table(
        "sessions",
        _words("session_hash"),
        _words("session_id"),
        _words("actor"),
        _words("name"),
        _words("scopes"),
        _words("bound"),
        sa.Column("max_priority", _SMALL, nullable=False),
        _words("key_id", null=True),
        _whole("created_us"),
        _whole("expires_us"),
        _whole("ended_us", null=True),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_sessions")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_sessions_session_id"), "sessions", ["session_id"], unique=True)
    op.create_index(op.f("ix_sessions_expires_us"), "sessions", ["expires_us"])


def _alerts() -> None:
    for column in (
        _whole("entry_id", null=True),
        _whole("acknowledged_us", null=True),
        _words("acknowledged_by", null=True),
        _whole("dismissed_us", null=True),
        _words("dismissed_by", null=True),
        _whole("resolved_us", null=True),
        _words("note", null=True),
    ):
        op.add_column("alerts", column)
    op.create_index(
        "ix_alerts_live", "alerts", ["at_us", "id"], sqlite_where=_LIVE, postgresql_where=_LIVE
    )


def _channels() -> None:
    op.create_table(
        "channels",
        _words("channel_id"),
        _words("name"),
        _words("kind"),
        _words("target"),
        _words("secret", null=True),
        _words("former_secret", null=True),
        _whole("former_until_us", null=True),
        _words("wanted"),
        _words("quiet", null=True),
        _whole("digest_us", null=True),
        _words("bound"),
        sa.Column("enabled", _SMALL, nullable=False),
        _words("created_by"),
        _whole("created_us"),
        _whole("updated_us"),
        _whole("archived_us", null=True),
        _whole("after"),
        sa.CheckConstraint(
            "kind IN ('webhook', 'email', 'chat')", name=op.f("ck_channels_kind_known")
        ),
        sa.PrimaryKeyConstraint("channel_id", name=op.f("pk_channels")),
        sqlite_strict=True,
    )
    op.create_table(
        "deliveries",
        _words("delivery_id"),
        _words("channel_id"),
        _whole("entry_id"),
        _words("status"),
        _whole("attempts"),
        _whole("due_us"),
        _whole("created_us"),
        _whole("done_us", null=True),
        _words("answer", null=True),
        _words("digest_id", null=True),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'dead', 'skipped')",
            name=op.f("ck_deliveries_status_known"),
        ),
        sa.CheckConstraint(
            "attempts BETWEEN 0 AND 1000", name=op.f("ck_deliveries_attempts_range")
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "channel_id", "entry_id", name=op.f("uq_deliveries_channel_id_entry_id")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_deliveries_due", "deliveries", ["channel_id", "due_us", "entry_id"],
        sqlite_where=_PENDING, postgresql_where=_PENDING,
    )  # fmt: skip
    op.create_index("ix_deliveries_created", "deliveries", ["channel_id", "created_us", "entry_id"])


def _requests_and_settings() -> None:
    op.create_table(
        "top_up_requests",
        _words("request_id"),
        _words("budget_id"),
        _words("policy_id"),
        _words("partition", null=True),
        _whole("amount"),
        _whole("until_us", null=True),
        _words("reason"),
        _words("actor"),
        _words("status"),
        _whole("created_us"),
        _whole("expires_us"),
        _whole("decided_us", null=True),
        _words("decided_by", null=True),
        _words("decision", null=True),
        _words("top_up_id", null=True),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'rejected', 'withdrawn')",
            name=op.f("ck_top_up_requests_status_known"),
        ),
        sa.CheckConstraint(
            "amount BETWEEN 1 AND 1000000000000000000",
            name=op.f("ck_top_up_requests_amount_range"),
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_top_up_requests")),
        sqlite_strict=True,
    )
    for columns in (["budget_id", "created_us"], ["created_us", "request_id"]):
        name = op.f(f"ix_top_up_requests_{'_'.join(columns)}")
        op.create_index(name, "top_up_requests", columns)
    op.create_table(
        "settings",
        _words("name"),
        _words("value"),
        _whole("updated_us"),
        _words("updated_by"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
        sqlite_strict=True,
    )


def _seals() -> None:
    op.create_index(
        "ix_entries_audited", "entries", ["id"], sqlite_where=_AUDITED, postgresql_where=_AUDITED
    )
    op.create_table(
        "blocks",
        sa.Column("number", _BIG, nullable=False, autoincrement=False),
        _whole("first_entry_id"),
        _whole("last_entry_id"),
        _whole("entries"),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        _words("former_hash"),
        _words("block_hash"),
        _whole("sealed_us"),
        sa.CheckConstraint(
            "entries BETWEEN 1 AND 1000000000", name=op.f("ck_blocks_entries_range")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_blocks")),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER blocks_never_edited BEFORE UPDATE OR DELETE OR TRUNCATE ON blocks "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_edit()"
        )
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER blocks_no_{act.lower()} BEFORE {act} ON blocks "
            "BEGIN SELECT RAISE(ABORT, 'blocks are never changed'); END"
        )

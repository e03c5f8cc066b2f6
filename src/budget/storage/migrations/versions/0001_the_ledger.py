"""The ledger: every table of the first release, and the triggers that keep the books unedited."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SMALL: Final = sa.SmallInteger().with_variant(sa.Integer(), "sqlite")
_WORDS: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

_NEVER_EDITED: Final = ("entries", "usage")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, _WORDS, nullable=null)


def _int(name: str, *, null: bool = False, **more: Any) -> sa.Column[int]:
    return sa.Column(name, _BIG, nullable=null, **more)


def _small(name: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, **more)


def _flag(name: str) -> sa.Column[int]:
    return sa.Column(name, _SMALL, nullable=False)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Create the tables, and the one row of `state`."""
    _catalogue()
    _balances()
    _journal()
    _reports()
    op.execute("INSERT INTO state (id, epoch, xid, catalogue_version) VALUES (1, 1, 0, 1)")
    if op.get_context().dialect.name == "sqlite":
        _forbid_editing_on_sqlite()
    else:
        _forbid_editing_on_postgres()


def _catalogue() -> None:
    """Budgets, policies, top-ups, API keys; and the state of the whole."""
    op.create_table(
        "state",
        _small("id", autoincrement=False),
        _int("epoch"),
        _int("xid"),
        _int("catalogue_version"),
        sa.CheckConstraint("id = 1", name=op.f("ck_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state")),
        sqlite_strict=True,
    )
    op.create_table(
        "budgets",
        _text("budget_id"),
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
        sa.PrimaryKeyConstraint("budget_id", name=op.f("pk_budgets")),
        sqlite_strict=True,
    )
    op.create_table(
        "policies",
        _text("policy_id"),
        _text("budget_id"),
        _text("unit"),
        _text("period"),
        _text("timezone"),
        _text("reset_day"),
        _int("limit_amount"),
        _text("enforcement"),
        _small("warning_bps"),
        _small("action_bps"),
        _flag("rollover"),
        _text("on_expiry"),
        _text("headroom"),
        _text("partition_by"),
        _text("limits"),
        _int("created_us"),
        _int("archived_us", null=True),
        _text("succeeds", null=True),
        sa.CheckConstraint(
            "unit IN ('usd', 'tokens', 'input_tokens', 'output_tokens', 'requests')",
            name=op.f("ck_policies_unit_known"),
        ),
        sa.CheckConstraint(
            "enforcement IN ('ignore', 'warn', 'soft_limit', 'hard_limit')",
            name=op.f("ck_policies_enforcement_known"),
        ),
        sa.CheckConstraint(
            "on_expiry IN ('assume', 'release')", name=op.f("ck_policies_on_expiry_known")
        ),
        sa.CheckConstraint(
            "limit_amount BETWEEN 0 AND 1000000000000000000",
            name=op.f("ck_policies_limit_amount_range"),
        ),
        sa.CheckConstraint(
            "warning_bps BETWEEN 0 AND 10000", name=op.f("ck_policies_warning_bps_range")
        ),
        sa.CheckConstraint(
            "action_bps BETWEEN 0 AND 10000", name=op.f("ck_policies_action_bps_range")
        ),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_policies")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_policies_budget_id"), "policies", ["budget_id"])
    op.create_table(
        "top_ups",
        _text("top_up_id"),
        _text("policy_id"),
        _text("partition", null=True),
        _int("amount"),
        _int("at_us"),
        _int("until_us"),
        _text("actor"),
        _text("reason"),
        sa.CheckConstraint(
            "amount BETWEEN 1 AND 1000000000000000000", name=op.f("ck_top_ups_amount_range")
        ),
        sa.PrimaryKeyConstraint("top_up_id", name=op.f("pk_top_ups")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_top_ups_policy_id"), "top_ups", ["policy_id"])
    op.create_table(
        "api_keys",
        _text("key_id"),
        _text("name"),
        _text("secret_hash"),
        _text("scopes"),
        _int("created_us"),
        _int("revoked_us", null=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        sqlite_strict=True,
    )


def _balances() -> None:
    """What each policy has spent, and what is held for calls."""
    op.create_table(
        "heads",
        _int("id"),
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
        sa.CheckConstraint(
            "spent BETWEEN 0 AND 4000000000000000000", name=op.f("ck_heads_spent_range")
        ),
        sa.CheckConstraint(
            "reserved BETWEEN 0 AND 4000000000000000000", name=op.f("ck_heads_reserved_range")
        ),
        sa.CheckConstraint(
            "assumed BETWEEN 0 AND 4000000000000000000", name=op.f("ck_heads_assumed_range")
        ),
        sa.CheckConstraint(
            "overrun BETWEEN 0 AND 4000000000000000000", name=op.f("ck_heads_overrun_range")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heads")),
        sa.UniqueConstraint("policy_id", "partition", name=op.f("uq_heads_policy_id_partition")),
        sqlite_strict=True,
    )
    op.create_table(
        "windows",
        _int("head_id"),
        _int("start_us"),
        _int("end_us"),
        _int("spent"),
        _int("reserved"),
        _int("assumed"),
        _int("overrun"),
        _int("carry"),
        sa.CheckConstraint(
            "spent BETWEEN 0 AND 4000000000000000000", name=op.f("ck_windows_spent_range")
        ),
        sa.CheckConstraint(
            "reserved BETWEEN 0 AND 4000000000000000000", name=op.f("ck_windows_reserved_range")
        ),
        sa.CheckConstraint(
            "assumed BETWEEN 0 AND 4000000000000000000", name=op.f("ck_windows_assumed_range")
        ),
        sa.CheckConstraint(
            "overrun BETWEEN 0 AND 4000000000000000000", name=op.f("ck_windows_overrun_range")
        ),
        sa.CheckConstraint("start_us < end_us", name=op.f("ck_windows_order")),
        sa.PrimaryKeyConstraint("head_id", "start_us", name=op.f("pk_windows")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "allocations",
        _text("id"),
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
        _small("records"),
        _text("settled_by", null=True),
        _text("request_hash"),
        _text("metadata"),
        _int("updated_us"),
        sa.CheckConstraint(
            "status IN ('open', 'settled', 'released', 'expired')",
            name=op.f("ck_allocations_status_known"),
        ),
        sa.CheckConstraint(
            "usd_held BETWEEN 0 AND 4000000000000000000", name=op.f("ck_allocations_usd_held_range")
        ),
        sa.CheckConstraint(
            "tokens_held BETWEEN 0 AND 4000000000000000000",
            name=op.f("ck_allocations_tokens_held_range"),
        ),
        sa.CheckConstraint(
            "requests_held BETWEEN 0 AND 4000000000000000000",
            name=op.f("ck_allocations_requests_held_range"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocations")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_allocations_due", "allocations", ["expires_us"], **_where("status = 'open'")
    )
    op.create_index(
        "ix_allocations_parent", "allocations", ["parent_id"], **_where("parent_id IS NOT NULL")
    )
    op.create_index(op.f("ix_allocations_placed"), "allocations", ["placed_us", "id"])
    op.create_index(
        "ix_allocations_session", "allocations", ["session"], **_where("session IS NOT NULL")
    )


def _journal() -> None:
    """What calls have used, what was accepted, and under which idempotency keys."""
    op.create_table(
        "usage",
        _text("id"),
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
        sa.CheckConstraint(
            "input_tokens BETWEEN -4000000000000000000 AND 4000000000000000000",
            name=op.f("ck_usage_input_tokens_range"),
        ),
        sa.CheckConstraint(
            "output_tokens BETWEEN -4000000000000000000 AND 4000000000000000000",
            name=op.f("ck_usage_output_tokens_range"),
        ),
        sa.CheckConstraint(
            "requests BETWEEN -4000000000000000000 AND 4000000000000000000",
            name=op.f("ck_usage_requests_range"),
        ),
        sa.CheckConstraint(
            "cost_nanos BETWEEN -4000000000000000000 AND 4000000000000000000",
            name=op.f("ck_usage_cost_nanos_range"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_usage_allocation", "usage", ["allocation_id"], **_where("allocation_id IS NOT NULL")
    )
    op.create_index(op.f("ix_usage_occurred"), "usage", ["occurred_us", "id"])
    op.create_index(
        "ix_usage_reverses", "usage", ["reverses"], unique=True, **_where("reverses IS NOT NULL")
    )
    op.create_index("ix_usage_session", "usage", ["session"], **_where("session IS NOT NULL"))
    op.create_index("ix_usage_task", "usage", ["task"], **_where("task IS NOT NULL"))
    op.create_table(
        "usage_tags",
        _text("name"),
        _text("value"),
        _text("usage_id"),
        sa.PrimaryKeyConstraint("name", "value", "usage_id", name=op.f("pk_usage_tags")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "entries",
        _int("id", autoincrement=False),
        _int("at_us"),
        _text("kind"),
        _text("actor"),
        _text("allocation_id", null=True),
        _text("usage_id", null=True),
        _text("budget_id", null=True),
        _text("policy_id", null=True),
        _text("legs"),
        _text("detail"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sqlite_strict=True,
    )
    op.create_index("ix_entries_backfilled", "entries", ["id"], **_where("kind = 'backfilled'"))
    op.create_table(
        "keys",
        _text("actor"),
        _text("act"),
        _text("key"),
        _text("request_hash"),
        _text("ref"),
        _int("at_us"),
        sa.PrimaryKeyConstraint("actor", "act", "key", name=op.f("pk_keys")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_keys_at_us"), "keys", ["at_us"])


def _reports() -> None:
    """Rollups and alerts."""
    op.create_table(
        "series",
        _text("id"),
        _text("org"),
        _text("team"),
        _text("project"),
        _text("user"),
        _text("key"),
        _text("component"),
        _text("agent"),
        _text("task_type"),
        _text("tier"),
        _text("provider"),
        _text("model"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollups",
        _text("grain"),
        _int("start_us"),
        _text("series_id"),
        _int("records"),
        _int("requests"),
        _int("input_tokens"),
        _int("output_tokens"),
        _int("cache_read_tokens"),
        _int("cache_write_tokens"),
        _int("reasoning_tokens"),
        _int("cost_nanos"),
        _int("unpriced"),
        sa.CheckConstraint("grain IN ('hour', 'day')", name=op.f("ck_rollups_grain_known")),
        sa.PrimaryKeyConstraint("grain", "start_us", "series_id", name=op.f("pk_rollups")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alerts",
        _text("id"),
        _text("kind"),
        _text("severity"),
        _text("policy_id"),
        _text("partition"),
        _int("window_us"),
        _int("at_us"),
        _text("detail"),
        sa.CheckConstraint(
            "severity IN ('info', 'warning', 'error')", name=op.f("ck_alerts_severity_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint(
            "policy_id",
            "partition",
            "window_us",
            "kind",
            name=op.f("uq_alerts_policy_id_partition_window_us_kind"),
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_alerts_at_us"), "alerts", ["at_us"])


def _forbid_editing_on_sqlite() -> None:
    for table in _NEVER_EDITED:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END"
            )


def _forbid_editing_on_postgres() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_to_edit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% are never changed', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )
    for table in _NEVER_EDITED:
        op.execute(
            f"CREATE TRIGGER {table}_never_edited BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_edit()"
        )

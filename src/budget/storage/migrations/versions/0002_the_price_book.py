"""The price book: snapshots of sources, prices that ended, changes, and what operators set."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDS: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, _WORDS, nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, _BIG, nullable=null)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Create the tables, and the one row of `price_state`."""
    _state()
    _sources()
    _updates()
    _overrides()
    op.execute("INSERT INTO price_state (id, version) VALUES (1, 1)")
    if op.get_context().dialect.name == "sqlite":
        _forbid_editing_on_sqlite()
    else:
        _forbid_editing_on_postgres()


def _state() -> None:
    op.create_table(
        "price_state",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        _int("version"),
        sa.CheckConstraint("id = 1", name=op.f("ck_price_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_state")),
        sqlite_strict=True,
    )


def _sources() -> None:
    """What sources said, and which of it is in force."""
    op.create_table(
        "price_snapshots",
        _text("basis"),
        _text("source"),
        _text("version"),
        _text("sha256"),
        _int("models"),
        _int("taken_us"),
        _text("origin"),
        _text("status"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "status IN ('applied', 'quarantined', 'rejected')",
            name=op.f("ck_price_snapshots_status_known"),
        ),
        sa.PrimaryKeyConstraint("basis", name=op.f("pk_price_snapshots")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_price_snapshots_source_taken_us"), "price_snapshots", ["source", "taken_us"]
    )
    op.create_table(
        "price_sources",
        _text("source"),
        _text("basis", null=True),
        _text("place", null=True),
        _text("etag", null=True),
        _text("last_modified", null=True),
        _int("checked_us", null=True),
        _int("applied_us", null=True),
        _text("error", null=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_price_sources")),
        sqlite_strict=True,
    )


def _updates() -> None:
    """What changed, and the prices that hold in spite of it or did before."""
    op.create_table(
        "closed_prices",
        _text("id"),
        _text("source"),
        _text("provider"),
        _text("model"),
        _text("context"),
        _int("from_us", null=True),
        _int("until_us", null=True),
        _text("schedule"),
        _text("basis"),
        _text("reason"),
        sa.CheckConstraint(
            "reason IN ('changed', 'quarantined', 'dropped')",
            name=op.f("ck_closed_prices_reason_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closed_prices")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_closed_prices_kept",
        "closed_prices",
        ["source", "provider", "model", "context"],
        unique=True,
        **_where("until_us IS NULL"),
    )
    op.create_table(
        "price_updates",
        _text("id"),
        _int("at_us"),
        _text("source"),
        _text("provider"),
        _text("model"),
        _text("context"),
        _text("kind"),
        _int("from_tokens"),
        _int("old_pico", null=True),
        _int("new_pico", null=True),
        _int("change_bps", null=True),
        _int("from_us"),
        _text("old_basis", null=True),
        _text("new_basis"),
        _text("status"),
        _text("decided_by", null=True),
        _int("decided_us", null=True),
        _text("reason", null=True),
        sa.CheckConstraint(
            "status IN ('applied', 'quarantined', 'accepted', 'rejected', 'withdrawn')",
            name=op.f("ck_price_updates_status_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_updates")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_price_updates_provider_model"), "price_updates", ["provider", "model"])
    op.create_index(
        "ix_price_updates_waiting",
        "price_updates",
        ["source", "provider", "model", "context"],
        **_where("status IN ('quarantined', 'rejected')"),
    )


def _overrides() -> None:
    """What operators set."""
    op.create_table(
        "price_overrides",
        _text("id"),
        _text("provider", null=True),
        _text("model"),
        _text("context"),
        _text("rates"),
        _int("from_us", null=True),
        _int("until_us", null=True),
        _text("actor"),
        _text("reason"),
        _int("created_us"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_overrides")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_price_overrides_model"), "price_overrides", ["model"])


_ONLY: Final = {
    "price_snapshots": (
        "status",
        ("basis", "source", "version", "sha256", "models", "taken_us", "origin", "body"),
    ),
    "price_overrides": (
        "until_us",
        ("id", "provider", "model", "context", "rates", "from_us", "actor", "reason", "created_us"),
    ),
    "closed_prices": (
        "until_us",
        ("id", "source", "provider", "model", "context", "from_us", "schedule", "basis", "reason"),
    ),
}
"""The one column of a table that may change, and those that may not."""

_REOPENED: Final = (
    "NEW.until_us IS NULL OR (OLD.until_us IS NOT NULL AND NEW.until_us > OLD.until_us)"
)
"""An end may be set or come sooner; it is never taken away or put off."""


def _changed(columns: tuple[str, ...], differs: str) -> str:
    return " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in columns)


def _forbid_editing_on_sqlite() -> None:
    for table, (changing, fixed) in _ONLY.items():
        edited = _changed(fixed, "IS NOT")
        if changing == "until_us":
            edited += f" OR {_REOPENED}"
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN {edited} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are never changed but for {changing}'); END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are never deleted'); END"
        )


def _forbid_editing_on_postgres() -> None:
    for table, (changing, fixed) in _ONLY.items():
        edited = _changed(fixed, "IS DISTINCT FROM")
        if changing == "until_us":
            edited += f" OR {_REOPENED}"
        op.execute(
            f"CREATE TRIGGER {table}_never_edited BEFORE UPDATE ON {table} FOR EACH ROW "
            f"WHEN ({edited}) EXECUTE FUNCTION refuse_to_edit()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_edit()"
        )

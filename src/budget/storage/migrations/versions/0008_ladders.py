"""Budgets may have a ladder; calls that took a step of one are told in the journal."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WORDS: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_AUDITED: Final = sa.text(
    "kind NOT IN ('placed', 'recorded', 'settled', 'released', 'extended', 'expired', "
    "'reported', 'refused', 'degraded', 'alert_raised', 'alert_resolved')"
)


def upgrade() -> None:
    """Budgets of before have no ladder."""
    op.add_column(
        "budgets", sa.Column("degrade", _WORDS, nullable=False, server_default=sa.text("'[]'"))
    )
    op.drop_index("ix_entries_audited", table_name="entries")
    op.create_index(
        "ix_entries_audited", "entries", ["id"], sqlite_where=_AUDITED, postgresql_where=_AUDITED
    )

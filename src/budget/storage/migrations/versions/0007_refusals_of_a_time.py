"""Refusals are found by their time without reading the rest of the journal."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_REFUSED: Final = sa.text("kind = 'refused'")


def upgrade() -> None:
    """Index the refusals of the journal, with their times."""
    op.create_index(
        "ix_entries_refused", "entries", ["id", "at_us"],
        sqlite_where=_REFUSED, postgresql_where=_REFUSED,
    )  # fmt: skip

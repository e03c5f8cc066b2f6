"""What neighbours keep between runs of a service."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDS: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table; nothing of before is noted."""
    op.create_table(
        "neighbour_notes",
        sa.Column("neighbour", _WORDS, nullable=False),
        sa.Column("name", _WORDS, nullable=False),
        sa.Column("value", _WORDS, nullable=False),
        sa.Column("updated_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("neighbour", "name", name=op.f("pk_neighbour_notes")),
        sqlite_strict=True,
    )

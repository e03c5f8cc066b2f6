"""Usage keeps the price context that it was asked for, so that it can be priced again in it."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WORDS: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a column to allocations and to usage. Of what was before, the rates tell the context."""
    op.add_column("allocations", sa.Column("price_context", _WORDS, nullable=True))
    op.add_column("usage", sa.Column("price_context", _WORDS, nullable=True))

"""Names of models and providers compare however they are spelled; the books say since when."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Note the last entry that was decided by names as they were written."""
    column = sa.Column("alike_after", _BIG, nullable=False, server_default=sa.text("-1"))
    op.add_column("state", column)
    op.execute("UPDATE state SET alike_after = (SELECT COALESCE(MAX(id), -1) FROM entries)")

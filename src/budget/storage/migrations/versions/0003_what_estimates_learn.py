"""What estimates learn: the bound that a call was held by, and what settled calls teach."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDS: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_TEACHES: Final = sa.text("bound_tokens IS NOT NULL AND status = 'settled'")


def upgrade() -> None:
    """Add two columns, an index of those that have them, two tables, and the one row of state.

    Allocations of before have no bound and teach nothing.
    """
    op.add_column("allocations", sa.Column("bound_tokens", _BIG, nullable=True))
    op.add_column("allocations", sa.Column("bound_family", _WORDS, nullable=True))
    op.create_index(
        "ix_allocations_taught",
        "allocations",
        ["updated_us", "id"],
        sqlite_where=_TEACHES,
        postgresql_where=_TEACHES,
    )
    op.create_table(
        "calibrations",
        sa.Column("family", _WORDS, nullable=False),
        sa.Column("actor", _WORDS, nullable=False),
        sa.Column("samples", _BIG, nullable=False),
        sa.Column("factor_bps", _BIG, nullable=False),
        sa.Column("seen", _WORDS, nullable=False),
        sa.Column("updated_us", _BIG, nullable=False),
        sa.CheckConstraint(
            "samples BETWEEN 0 AND 4000000000000000000", name=op.f("ck_calibrations_samples_range")
        ),
        sa.CheckConstraint(
            "factor_bps BETWEEN 1 AND 100000", name=op.f("ck_calibrations_factor_bps_range")
        ),
        sa.PrimaryKeyConstraint("family", "actor", name=op.f("pk_calibrations")),
        sqlite_strict=True,
    )
    op.create_table(
        "calibration_state",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("settled_us", _BIG, nullable=False),
        sa.Column("allocation_id", _WORDS, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_calibration_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_state")),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO calibration_state (id, settled_us, allocation_id) VALUES (1, 0, '')")

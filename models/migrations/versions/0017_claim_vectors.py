"""What the wordings of claims mean, as vectors. They are derived, and made after the migration."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "claim_vector",
        sa.Column("claim", text(), nullable=False),
        sa.Column("digest", text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(vector) = 384", name=op.f("ck_claim_vector_length")),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name=op.f("fk_claim_vector_claim")),
        sa.PrimaryKeyConstraint("claim", "digest", name=op.f("pk_claim_vector")),
    )
    op.create_index(op.f("ix_claim_vector_position"), "claim_vector", ["position"])


def downgrade() -> None:
    op.drop_table("claim_vector")

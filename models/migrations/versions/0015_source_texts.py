"""Whole texts of sources, under a licence."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("source") as batch:
        batch.add_column(sa.Column("text", sa.JSON(), nullable=True))
    op.create_table(
        "source_text",
        sa.Column("source", text(), nullable=False),
        sa.Column("sha256", text(), nullable=False),
        sa.Column("text", text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "sha256", name="pk_source_text"),
    )


def downgrade() -> None:
    op.drop_table("source_text")
    with op.batch_alter_table("source") as batch:
        batch.drop_column("text")

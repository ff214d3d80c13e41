"""Whole texts of sources, under a licence; whether a claim's support is of a single group."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


# Derived tables: the rules that follow fill the column with what is right.
STANDING = ("claim_document", "status_period")


def upgrade() -> None:
    for table in STANDING:
        with op.batch_alter_table(table) as batch:
            batch.add_column(
                sa.Column("single_group", sa.Boolean(), nullable=False, server_default=sa.false())
            )
        with op.batch_alter_table(table) as batch:
            batch.alter_column("single_group", server_default=None)
    op.create_index(
        "ix_claim_document_single_group_claim", "claim_document", ["single_group", "claim"]
    )
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
    op.drop_index("ix_claim_document_single_group_claim", "claim_document")
    for table in STANDING:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("single_group")
    op.drop_table("source_text")
    with op.batch_alter_table("source") as batch:
        batch.drop_column("text")

"""Webhooks: addresses to which changes are sent."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", text(), nullable=False),
        sa.Column("owner", text(), nullable=False),
        sa.Column("url", text(), nullable=False),
        sa.Column("topic", sa.JSON(), nullable=False),
        sa.Column("claim", sa.JSON(), nullable=False),
        sa.Column("secret", text(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", text(), nullable=True),
        sa.Column("next_attempt", text(), nullable=True),
        sa.Column("last_error", text(), nullable=True),
        sa.Column("disabled", text(), nullable=True),
        sa.Column("lease", text(), nullable=True),
        sa.Column("leased_until", text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )


def downgrade() -> None:
    op.drop_table("webhook")

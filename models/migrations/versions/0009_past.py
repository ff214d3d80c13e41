"""What is derived of a claim on earlier days, beside its document; `claimbase rebuild` fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Derived anew after the last migration; until then nothing reads it.
    past = sa.Column("past", sa.LargeBinary(), nullable=False, server_default="")
    if op.get_bind().dialect.name == "sqlite":
        # Beside the core, in front of the long parts, since it is reached only through all that stands before it.
        with op.batch_alter_table("claim_document", recreate="always") as document:
            document.add_column(past, insert_after="core")
    else:
        op.add_column("claim_document", past)
    with op.batch_alter_table("claim_document") as document:
        document.alter_column("past", server_default=None)
    op.drop_index("ix_status_period_status_starts_claim", "status_period")
    op.create_index(
        "ix_status_period_status_claim_starts_ends",
        "status_period",
        ["status", "claim", "starts", "ends"],
    )


def downgrade() -> None:
    op.drop_index("ix_status_period_status_claim_starts_ends", "status_period")
    op.create_index(
        "ix_status_period_status_starts_claim", "status_period", ["status", "starts", "claim"]
    )
    op.drop_column("claim_document", "past")

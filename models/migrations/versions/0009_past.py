"""What is derived of a claim on earlier days, beside its document; `claimbase rebuild` fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Derived anew after the last migration; until then nothing reads it.
    op.add_column("claim_document", sa.Column("past", sa.LargeBinary(), nullable=False, server_default=""))
    with op.batch_alter_table("claim_document") as document:
        document.alter_column("past", server_default=None)


def downgrade() -> None:
    op.drop_column("claim_document", "past")

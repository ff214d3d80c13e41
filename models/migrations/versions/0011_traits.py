"""What a claim is asked for and counted by most, as one number beside its document and its terms; `claimbase rebuild` fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Derived anew after the last migration; until then nothing reads it.
    for table in ("claim_document", "claim_term"):
        traits = sa.Column("traits", sa.BigInteger(), nullable=False, server_default="0")
        if table == "claim_document" and op.get_bind().dialect.name == "sqlite":
            # In front of the long columns, since it is reached only through all that stands before it.
            with op.batch_alter_table(table, recreate="always") as changed:
                changed.add_column(traits, insert_after="has_conflict")
        else:
            op.add_column(table, traits)
        with op.batch_alter_table(table) as changed:
            changed.alter_column("traits", server_default=None)
    op.create_index("ix_claim_document_traits_claim", "claim_document", ["traits", "claim"])
    op.drop_index("ix_claim_term_field_value_claim", "claim_term")
    op.create_index(
        "ix_claim_term_field_value_claim_traits",
        "claim_term",
        ["field", "value", "claim", "traits"],
    )


def downgrade() -> None:
    op.drop_index("ix_claim_term_field_value_claim_traits", "claim_term")
    op.create_index("ix_claim_term_field_value_claim", "claim_term", ["field", "value", "claim"])
    op.drop_index("ix_claim_document_traits_claim", "claim_document")
    for table in ("claim_term", "claim_document"):
        with op.batch_alter_table(table) as changed:
            changed.drop_column("traits")

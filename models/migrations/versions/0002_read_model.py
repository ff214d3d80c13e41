"""The read model: documents, terms and status periods; `claimbase rebuild` fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.String:
    """Text that sorts by code point on both databases, so that a page starts where the last one ended on either."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "claim_document",
        sa.Column("claim", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("status_rank", sa.Integer(), nullable=False),
        sa.Column("certainty", text(), nullable=True),
        sa.Column("certainty_rank", sa.Integer(), nullable=False),
        sa.Column("evidence_level", text(), nullable=False),
        sa.Column("evidence_count", sa.Integer(), nullable=False),
        sa.Column("has_conflict", sa.Boolean(), nullable=False),
        sa.Column("statement", text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("core", sa.LargeBinary(), nullable=False),
        sa.Column("occurrences", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("sources", sa.LargeBinary(), nullable=False),
        sa.Column("relations", sa.LargeBinary(), nullable=False),
        sa.Column("assessments", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "\"certainty\" IN ('very_low', 'low', 'moderate', 'high')",
            name=op.f("ck_claim_document_certainty"),
        ),
        sa.CheckConstraint(
            "\"kind\" IN ('definition', 'background', 'history', 'mechanism', 'causal_hypothesis', 'finding', 'state_of_evidence', 'evaluation', 'reported_belief')",
            name=op.f("ck_claim_document_kind"),
        ),
        sa.CheckConstraint(
            "\"status\" IN ('refuted', 'disputed', 'contested', 'unassessed', 'unconfirmed', 'supported', 'established')",
            name=op.f("ck_claim_document_status"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_document_claim"),
        sa.PrimaryKeyConstraint("claim", name="pk_claim_document"),
    )
    op.create_index(
        "ix_claim_document_certainty_claim", "claim_document", ["certainty", "claim"], unique=False
    )
    op.create_index(
        "ix_claim_document_certainty_rank_claim",
        "claim_document",
        ["certainty_rank", "claim"],
        unique=False,
    )
    op.create_index(
        "ix_claim_document_evidence_count_claim",
        "claim_document",
        ["evidence_count", "claim"],
        unique=False,
    )
    op.create_index(
        "ix_claim_document_evidence_level_claim",
        "claim_document",
        ["evidence_level", "claim"],
        unique=False,
    )
    op.create_index(
        "ix_claim_document_kind_claim", "claim_document", ["kind", "claim"], unique=False
    )
    op.create_index(
        "ix_claim_document_status_claim", "claim_document", ["status", "claim"], unique=False
    )
    op.create_index(
        "ix_claim_document_status_rank_claim",
        "claim_document",
        ["status_rank", "claim"],
        unique=False,
    )
    op.create_index(
        "ix_claim_document_updated_claim", "claim_document", ["updated", "claim"], unique=False
    )
    op.create_table(
        "claim_term",
        sa.Column("claim", text(), nullable=False),
        sa.Column("field", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_term_claim"),
        sa.PrimaryKeyConstraint("claim", "field", "value", name="pk_claim_term"),
    )
    op.create_index(
        "ix_claim_term_field_value_claim", "claim_term", ["field", "value", "claim"], unique=False
    )
    op.create_table(
        "status_period",
        sa.Column("claim", text(), nullable=False),
        sa.Column("starts", text(), nullable=False),
        sa.Column("ends", text(), nullable=True),
        sa.Column("status", text(), nullable=False),
        sa.Column("rule", text(), nullable=False),
        sa.Column("certainty", text(), nullable=True),
        sa.CheckConstraint(
            "\"certainty\" IN ('very_low', 'low', 'moderate', 'high')",
            name=op.f("ck_status_period_certainty"),
        ),
        sa.CheckConstraint(
            "\"status\" IN ('refuted', 'disputed', 'contested', 'unassessed', 'unconfirmed', 'supported', 'established')",
            name=op.f("ck_status_period_status"),
        ),
        sa.CheckConstraint("ends > starts", name=op.f("ck_status_period_order")),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_status_period_claim"),
        sa.PrimaryKeyConstraint("claim", "starts", name="pk_status_period"),
    )
    op.create_index(
        "ix_status_period_status_starts_claim",
        "status_period",
        ["status", "starts", "claim"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("status_period")
    op.drop_table("claim_term")
    op.drop_table("claim_document")

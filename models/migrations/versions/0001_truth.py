"""The truth: sources, claims, what hangs on them, and the revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.String:
    """Text that sorts by code point on both databases, so that a page starts where the last one ended on either."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("id", text(), nullable=False),
        sa.Column("statement", text(2000), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.CheckConstraint(
            "\"kind\" IN ('definition', 'background', 'history', 'mechanism', 'causal_hypothesis', 'finding', 'state_of_evidence', 'evaluation', 'reported_belief')",
            name=op.f("ck_claim_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
    )
    op.create_table(
        "revision",
        sa.Column("record", text(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("claim", text(), nullable=True),
        sa.Column("action", text(), nullable=False),
        sa.Column("actor", text(), nullable=False),
        sa.Column("at", text(), nullable=False),
        sa.Column("comment", text(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.CheckConstraint("\"action\" IN ('create', 'update')", name=op.f("ck_revision_action")),
        sa.CheckConstraint(
            "\"kind\" IN ('topic', 'source', 'claim', 'occurrence', 'evidence', 'relation', 'assessment')",
            name=op.f("ck_revision_kind"),
        ),
        sa.PrimaryKeyConstraint("record", "serial", name="pk_revision"),
    )
    op.create_index("ix_revision_claim_serial", "revision", ["claim", "serial"], unique=False)
    op.create_index("ix_revision_serial", "revision", ["serial"], unique=False)
    op.create_table(
        "serial",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_serial_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_serial"),
    )
    op.create_table(
        "source",
        sa.Column("id", text(), nullable=False),
        sa.Column("type", text(), nullable=False),
        sa.Column("title", text(1000), nullable=False),
        sa.Column("authors_complete", sa.Boolean(), nullable=False),
        sa.Column("container_title", text(500), nullable=True),
        sa.Column("container_title_short", text(200), nullable=True),
        sa.Column("publisher", text(500), nullable=True),
        sa.Column("volume", text(50), nullable=True),
        sa.Column("issue", text(50), nullable=True),
        sa.Column("page", text(50), nullable=True),
        sa.Column("number", text(50), nullable=True),
        sa.Column("issued", text(), nullable=True),
        sa.Column("issued_inferred", sa.Boolean(), nullable=False),
        sa.Column("epub_date", text(), nullable=True),
        sa.Column("url", text(2000), nullable=True),
        sa.Column("language", text(35), nullable=True),
        sa.Column("study_design", text(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=True),
        sa.Column("sample", text(500), nullable=True),
        sa.Column("integrity", text(), nullable=False),
        sa.Column("integrity_note", text(2000), nullable=True),
        sa.Column("text_sha256", text(), nullable=True),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("published", text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.CheckConstraint(
            "\"integrity\" IN ('no_notice', 'corrected', 'concern', 'retracted')",
            name=op.f("ck_source_integrity"),
        ),
        sa.CheckConstraint(
            "\"study_design\" IN ('systematic_review', 'meta_analysis', 'randomised_trial', 'sham_controlled_trial', 'open_label_trial', 'cohort', 'case_control', 'cross_sectional', 'case_series', 'laboratory', 'pathology', 'content_analysis', 'narrative_review', 'hypothesis', 'commentary', 'regulatory_notice', 'not_applicable')",
            name=op.f("ck_source_study_design"),
        ),
        sa.CheckConstraint(
            "\"type\" IN ('article-journal', 'webpage', 'report', 'book', 'chapter', 'thesis', 'dataset')",
            name=op.f("ck_source_type"),
        ),
        sa.CheckConstraint("sample_size >= 0", name=op.f("ck_source_sample_size")),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
    )
    op.create_index(
        "ix_source_container_title_id", "source", ["container_title", "id"], unique=False
    )
    op.create_index("ix_source_study_design_id", "source", ["study_design", "id"], unique=False)
    op.create_index("ix_source_year_id", "source", ["year", "id"], unique=False)
    op.create_table(
        "topic",
        sa.Column("id", text(), nullable=False),
        sa.Column("label", text(200), nullable=False),
        sa.Column("definition", text(2000), nullable=False),
        sa.Column("crosswalk", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_topic"),
    )
    op.create_table(
        "assessment",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("assessor", text(200), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("assessed", text(), nullable=False),
        sa.Column("rationale", text(5000), nullable=False),
        sa.Column("source", text(), nullable=True),
        sa.CheckConstraint(
            "\"status\" IN ('refuted', 'disputed', 'contested', 'unassessed', 'unconfirmed', 'supported', 'established')",
            name=op.f("ck_assessment_status"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_assessment_claim"),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_assessment_source"),
        sa.PrimaryKeyConstraint("claim", "key", name="pk_assessment"),
    )
    op.create_table(
        "claim_topic",
        sa.Column("claim", text(), nullable=False),
        sa.Column("topic", text(), nullable=False),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_topic_claim"),
        sa.ForeignKeyConstraint(["topic"], ["topic.id"], name="fk_claim_topic_topic"),
        sa.PrimaryKeyConstraint("claim", "topic", name="pk_claim_topic"),
    )
    op.create_index("ix_claim_topic_topic_claim", "claim_topic", ["topic", "claim"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("direction", text(), nullable=False),
        sa.Column("level", text(), nullable=False),
        sa.Column("question", text(), nullable=True),
        sa.Column("directness", text(), nullable=False),
        sa.Column("study_design", text(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=True),
        sa.Column("sample", text(500), nullable=True),
        sa.Column("finding", text(5000), nullable=False),
        sa.Column("quote", text(10000), nullable=True),
        sa.Column("locator", text(200), nullable=True),
        sa.Column("independence_group", text(), nullable=False),
        sa.Column("searched_found_none", sa.Boolean(), nullable=False),
        sa.Column("extraction", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.CheckConstraint(
            "(level = 'not_gradable') = (question IS NULL)", name=op.f("ck_evidence_level_question")
        ),
        sa.CheckConstraint(
            "\"direction\" IN ('supports', 'disputes', 'inconclusive')",
            name=op.f("ck_evidence_direction"),
        ),
        sa.CheckConstraint(
            "\"directness\" IN ('direct', 'indirect')", name=op.f("ck_evidence_directness")
        ),
        sa.CheckConstraint(
            "\"extraction\" IN ('manual', 'machine', 'machine_reviewed')",
            name=op.f("ck_evidence_extraction"),
        ),
        sa.CheckConstraint(
            "\"level\" IN ('1', '2', '3', '4', '5', 'not_gradable')", name=op.f("ck_evidence_level")
        ),
        sa.CheckConstraint(
            "\"question\" IN ('prevalence', 'diagnosis', 'prognosis', 'treatment_benefit', 'common_harms')",
            name=op.f("ck_evidence_question"),
        ),
        sa.CheckConstraint(
            "\"state\" IN ('submitted', 'accepted', 'rejected', 'withdrawn', 'retracted')",
            name=op.f("ck_evidence_state"),
        ),
        sa.CheckConstraint(
            "\"study_design\" IN ('systematic_review', 'meta_analysis', 'randomised_trial', 'sham_controlled_trial', 'open_label_trial', 'cohort', 'case_control', 'cross_sectional', 'case_series', 'laboratory', 'pathology', 'content_analysis', 'narrative_review', 'hypothesis', 'commentary', 'regulatory_notice', 'not_applicable')",
            name=op.f("ck_evidence_study_design"),
        ),
        sa.CheckConstraint("sample_size >= 0", name=op.f("ck_evidence_sample_size")),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_evidence_claim"),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_evidence_source"),
        sa.PrimaryKeyConstraint("claim", "key", name="pk_evidence"),
    )
    op.create_index("ix_evidence_direction_claim", "evidence", ["direction", "claim"], unique=False)
    op.create_index("ix_evidence_level_claim", "evidence", ["level", "claim"], unique=False)
    op.create_index("ix_evidence_source_claim", "evidence", ["source", "claim"], unique=False)
    op.create_index(
        "ix_evidence_study_design_claim", "evidence", ["study_design", "claim"], unique=False
    )
    op.create_table(
        "occurrence",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("quote", text(10000), nullable=False),
        sa.Column("prefix", text(200), nullable=False),
        sa.Column("suffix", text(200), nullable=False),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("end", sa.Integer(), nullable=True),
        sa.Column("asserted_by", sa.JSON(), nullable=False),
        sa.Column("hedges", sa.JSON(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.CheckConstraint('"end" > start', name=op.f("ck_occurrence_anchor")),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_occurrence_claim"),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_occurrence_source"),
        sa.PrimaryKeyConstraint("claim", "key", name="pk_occurrence"),
    )
    op.create_index("ix_occurrence_source_claim", "occurrence", ["source", "claim"], unique=False)
    op.create_table(
        "relation",
        sa.Column("claim", text(), nullable=False),
        sa.Column("type", text(), nullable=False),
        sa.Column("target", text(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.CheckConstraint(
            "\"type\" IN ('leads_to', 'depends_on', 'presupposes', 'contradicts', 'rivals', 'refines', 'comments_on', 'analogous_to', 'names', 'provenance_of')",
            name=op.f("ck_relation_type"),
        ),
        sa.CheckConstraint("target <> claim", name=op.f("ck_relation_not_itself")),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_relation_claim"),
        sa.PrimaryKeyConstraint("claim", "type", "target", name="pk_relation"),
    )
    op.create_index("ix_relation_target_claim", "relation", ["target", "claim"], unique=False)
    op.create_table(
        "source_author",
        sa.Column("family", text(200), nullable=True),
        sa.Column("given", text(200), nullable=True),
        sa.Column("particle", text(50), nullable=True),
        sa.Column("suffix", text(50), nullable=True),
        sa.Column("literal", text(500), nullable=True),
        sa.Column("source", text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name_key", text(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_source_author_source"),
        sa.PrimaryKeyConstraint("source", "position", name="pk_source_author"),
    )
    op.create_index(
        "ix_source_author_name_key_source", "source_author", ["name_key", "source"], unique=False
    )
    op.create_table(
        "source_identifier",
        sa.Column("scheme", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        sa.Column("verification", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.CheckConstraint(
            "\"scheme\" IN ('doi', 'pmid', 'pmcid', 'isbn')",
            name=op.f("ck_source_identifier_scheme"),
        ),
        sa.CheckConstraint(
            "\"verification\" IN ('verified', 'unverified')",
            name=op.f("ck_source_identifier_verification"),
        ),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_source_identifier_source"),
        sa.PrimaryKeyConstraint("scheme", "value", name="pk_source_identifier"),
        sa.UniqueConstraint("source", "scheme", name="uq_source_identifier_source_scheme"),
    )
    op.execute("INSERT INTO serial (id, value) VALUES (1, 0)")


def downgrade() -> None:
    op.drop_table("source_identifier")
    op.drop_table("source_author")
    op.drop_table("relation")
    op.drop_table("occurrence")
    op.drop_table("evidence")
    op.drop_table("claim_topic")
    op.drop_table("assessment")
    op.drop_table("topic")
    op.drop_table("source")
    op.drop_table("serial")
    op.drop_table("revision")
    op.drop_table("claim")

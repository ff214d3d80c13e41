"""What follows from a claim's evidence stored apart from what does not change, whole for each day
on which it changes.

Accepted lines of evidence are stored as they are served, with an index for the best level and the
newest. The read model is derived anew after the last migration; what is kept here of the documents
tells it which of them come out differently.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from pydantic_core import from_json, to_json

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FIELDS = ("id", "statement", "kind", "note", "state", "replaced_by", "topics")
STAMPS = ("revision", "created", "updated")
BATCH = 500


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.execute("CREATE TABLE document_before AS SELECT claim, core FROM claim_document")
    for table in ("status_period", "claim_term", "claim_document"):
        op.drop_table(table)
    op.create_table(
        "claim_document",
        sa.Column("claim", text(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("status_rank", sa.Integer(), nullable=False),
        sa.Column("certainty", text(), nullable=True),
        sa.Column("certainty_rank", sa.Integer(), nullable=False),
        sa.Column("evidence_level", text(), nullable=False),
        sa.Column("evidence_count", sa.Integer(), nullable=False),
        sa.Column("has_conflict", sa.Boolean(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("levels", text(), nullable=False),
        sa.Column("directions", text(), nullable=False),
        sa.Column("statement", text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("settled", text(), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.Column("derived", sa.LargeBinary(), nullable=False),
        sa.Column("stamps", sa.LargeBinary(), nullable=False),
        sa.Column("occurrences", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("sources", sa.LargeBinary(), nullable=False),
        sa.Column("relations", sa.LargeBinary(), nullable=False),
        sa.Column("assessments", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "\"certainty\" = 'very_low' OR \"certainty\" = 'low' OR \"certainty\" = 'moderate' OR \"certainty\" = 'high'",
            name=op.f("ck_claim_document_certainty"),
        ),
        sa.CheckConstraint(
            "\"kind\" = 'definition' OR \"kind\" = 'background' OR \"kind\" = 'history' OR \"kind\" = 'mechanism' OR \"kind\" = 'causal_hypothesis' OR \"kind\" = 'finding' OR \"kind\" = 'state_of_evidence' OR \"kind\" = 'evaluation' OR \"kind\" = 'reported_belief'",
            name=op.f("ck_claim_document_kind"),
        ),
        sa.CheckConstraint(
            "\"status\" = 'refuted' OR \"status\" = 'disputed' OR \"status\" = 'contested' OR \"status\" = 'unassessed' OR \"status\" = 'unconfirmed' OR \"status\" = 'supported' OR \"status\" = 'established'",
            name=op.f("ck_claim_document_status"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_document_claim"),
        sa.PrimaryKeyConstraint("claim", name="pk_claim_document"),
    )
    op.create_index(
        "ix_claim_document_certainty",
        "claim_document",
        ["certainty", "claim", "status", "kind", "levels", "directions"],
    )
    op.create_index(
        "ix_claim_document_certainty_rank_claim", "claim_document", ["certainty_rank", "claim"]
    )
    op.create_index(
        "ix_claim_document_evidence_count_claim", "claim_document", ["evidence_count", "claim"]
    )
    op.create_index(
        "ix_claim_document_evidence_level_claim", "claim_document", ["evidence_level", "claim"]
    )
    op.create_index(
        "ix_claim_document_kind",
        "claim_document",
        ["kind", "claim", "status", "certainty", "levels", "directions"],
    )
    op.create_index(
        "ix_claim_document_status",
        "claim_document",
        ["status", "claim", "kind", "certainty", "levels", "directions"],
    )
    op.create_index(
        "ix_claim_document_status_rank_claim", "claim_document", ["status_rank", "claim"]
    )
    op.create_index("ix_claim_document_updated_claim", "claim_document", ["updated", "claim"])
    op.create_table(
        "claim_term",
        sa.Column("claim", text(), nullable=False),
        sa.Column("field", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        sa.Column("since", text(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("certainty", text(), nullable=True),
        sa.Column("levels", text(), nullable=False),
        sa.Column("directions", text(), nullable=False),
        sa.CheckConstraint(
            "\"certainty\" = 'very_low' OR \"certainty\" = 'low' OR \"certainty\" = 'moderate' OR \"certainty\" = 'high'",
            name=op.f("ck_claim_term_certainty"),
        ),
        sa.CheckConstraint(
            "\"kind\" = 'definition' OR \"kind\" = 'background' OR \"kind\" = 'history' OR \"kind\" = 'mechanism' OR \"kind\" = 'causal_hypothesis' OR \"kind\" = 'finding' OR \"kind\" = 'state_of_evidence' OR \"kind\" = 'evaluation' OR \"kind\" = 'reported_belief'",
            name=op.f("ck_claim_term_kind"),
        ),
        sa.CheckConstraint(
            "\"status\" = 'refuted' OR \"status\" = 'disputed' OR \"status\" = 'contested' OR \"status\" = 'unassessed' OR \"status\" = 'unconfirmed' OR \"status\" = 'supported' OR \"status\" = 'established'",
            name=op.f("ck_claim_term_status"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_term_claim"),
        sa.PrimaryKeyConstraint("claim", "field", "value", name="pk_claim_term"),
    )
    op.create_index(
        "ix_claim_term_field_value_claim",
        "claim_term",
        ["field", "value", "claim", "status", "kind", "certainty", "levels", "directions"],
    )
    op.create_table(
        "status_period",
        sa.Column("claim", text(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("status_rank", sa.Integer(), nullable=False),
        sa.Column("certainty", text(), nullable=True),
        sa.Column("certainty_rank", sa.Integer(), nullable=False),
        sa.Column("evidence_level", text(), nullable=False),
        sa.Column("evidence_count", sa.Integer(), nullable=False),
        sa.Column("has_conflict", sa.Boolean(), nullable=False),
        sa.Column("starts", text(), nullable=False),
        sa.Column("ends", text(), nullable=True),
        sa.Column("rule", text(), nullable=False),
        sa.Column("derived", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "\"certainty\" = 'very_low' OR \"certainty\" = 'low' OR \"certainty\" = 'moderate' OR \"certainty\" = 'high'",
            name=op.f("ck_status_period_certainty"),
        ),
        sa.CheckConstraint("ends > starts", name=op.f("ck_status_period_order")),
        sa.CheckConstraint(
            "\"status\" = 'refuted' OR \"status\" = 'disputed' OR \"status\" = 'contested' OR \"status\" = 'unassessed' OR \"status\" = 'unconfirmed' OR \"status\" = 'supported' OR \"status\" = 'established'",
            name=op.f("ck_status_period_status"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_status_period_claim"),
        sa.PrimaryKeyConstraint("claim", "starts", name="pk_status_period"),
    )
    op.create_index(
        "ix_status_period_status_claim_starts_ends",
        "status_period",
        ["status", "claim", "starts", "ends"],
    )
    op.create_table(
        "evidence_document",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("direction", text(), nullable=False),
        sa.Column("level", text(), nullable=False),
        sa.Column("question", text(), nullable=True),
        sa.Column("directness", text(), nullable=False),
        sa.Column("study_design", text(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=True),
        sa.Column("independence_group", text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("published", text(), nullable=False),
        sa.Column("counts_until", text(), nullable=True),
        sa.Column("on_relation", sa.Boolean(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "\"direction\" = 'supports' OR \"direction\" = 'disputes' OR \"direction\" = 'inconclusive'",
            name=op.f("ck_evidence_document_direction"),
        ),
        sa.CheckConstraint(
            "\"directness\" = 'direct' OR \"directness\" = 'indirect'",
            name=op.f("ck_evidence_document_directness"),
        ),
        sa.CheckConstraint(
            "\"level\" = '1' OR \"level\" = '2' OR \"level\" = '3' OR \"level\" = '4' OR \"level\" = '5' OR \"level\" = 'not_gradable'",
            name=op.f("ck_evidence_document_level"),
        ),
        sa.CheckConstraint(
            "\"question\" = 'prevalence' OR \"question\" = 'diagnosis' OR \"question\" = 'prognosis' OR \"question\" = 'treatment_benefit' OR \"question\" = 'common_harms'",
            name=op.f("ck_evidence_document_question"),
        ),
        sa.CheckConstraint(
            "\"study_design\" = 'systematic_review' OR \"study_design\" = 'meta_analysis' OR \"study_design\" = 'randomised_trial' OR \"study_design\" = 'sham_controlled_trial' OR \"study_design\" = 'open_label_trial' OR \"study_design\" = 'cohort' OR \"study_design\" = 'case_control' OR \"study_design\" = 'cross_sectional' OR \"study_design\" = 'case_series' OR \"study_design\" = 'laboratory' OR \"study_design\" = 'pathology' OR \"study_design\" = 'content_analysis' OR \"study_design\" = 'narrative_review' OR \"study_design\" = 'hypothesis' OR \"study_design\" = 'commentary' OR \"study_design\" = 'regulatory_notice' OR \"study_design\" = 'not_recorded' OR \"study_design\" = 'not_applicable'",
            name=op.f("ck_evidence_document_study_design"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_evidence_document_claim"),
        sa.PrimaryKeyConstraint("claim", "key", name="pk_evidence_document"),
    )
    op.create_index(
        "ix_evidence_document_direction_claim", "evidence_document", ["direction", "claim"]
    )
    op.create_index(
        "ix_evidence_document_level_newest",
        "evidence_document",
        ["level", sa.text("published DESC"), "claim", "key"],
    )
    op.create_index("ix_evidence_document_source_claim", "evidence_document", ["source", "claim"])
    op.create_index(
        "ix_evidence_document_study_design_claim", "evidence_document", ["study_design", "claim"]
    )
    _keep_what_was_served()
    op.drop_table("document_before")


def _keep_what_was_served() -> None:
    """Fill the documents with what lists served of each claim, and with nothing else that would
    have to be derived.
    """
    connection = op.get_bind()
    before = sa.table(
        "document_before", sa.column("claim", text()), sa.column("core", sa.LargeBinary())
    )
    columns = (
        *("claim", "status", "status_rank", "certainty_rank", "evidence_level", "evidence_count"),
        *("has_conflict", "kind", "levels", "directions", "statement", "revision"),
        *("updated", "settled"),
        *("fields", "derived", "stamps"),
        *("occurrences", "evidence", "sources", "relations", "assessments"),
    )
    document = sa.table("claim_document", *map(sa.column, columns))
    result = connection.execute(sa.select(before).order_by(before.c.claim))
    while rows := result.fetchmany(BATCH):
        connection.execute(
            sa.insert(document), [_split(claim, from_json(core)) for claim, core in rows]
        )


def _split(claim: str, core: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in core.items() if name not in (*FIELDS, *STAMPS)}
    return {
        "claim": claim,
        "status": core["status"],
        "status_rank": 0,
        "certainty_rank": 0,
        "evidence_level": "",
        "evidence_count": 0,
        "has_conflict": False,
        "kind": core["kind"],
        "levels": "",
        "directions": "",
        "statement": core["statement"],
        "revision": core["revision"],
        "updated": core["updated"],
        "settled": "",
        "fields": to_json({name: core[name] for name in FIELDS if name in core}),
        "derived": to_json(rest),
        "stamps": to_json({name: core[name] for name in STAMPS if name in core}),
        **dict.fromkeys(("occurrences", "evidence", "sources", "relations", "assessments"), b"[]"),
    }


def downgrade() -> None:
    for table in ("evidence_document", "status_period", "claim_term", "claim_document"):
        op.drop_table(table)
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
        sa.Column("traits", sa.BigInteger(), nullable=False),
        sa.Column("statement", text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("core", sa.LargeBinary(), nullable=False),
        sa.Column("occurrences", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("sources", sa.LargeBinary(), nullable=False),
        sa.Column("relations", sa.LargeBinary(), nullable=False),
        sa.Column("assessments", sa.LargeBinary(), nullable=False),
        sa.Column("past", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "\"certainty\" = 'very_low' OR \"certainty\" = 'low' OR \"certainty\" = 'moderate' OR \"certainty\" = 'high'",
            name=op.f("ck_claim_document_certainty"),
        ),
        sa.CheckConstraint(
            "\"kind\" = 'definition' OR \"kind\" = 'background' OR \"kind\" = 'history' OR \"kind\" = 'mechanism' OR \"kind\" = 'causal_hypothesis' OR \"kind\" = 'finding' OR \"kind\" = 'state_of_evidence' OR \"kind\" = 'evaluation' OR \"kind\" = 'reported_belief'",
            name=op.f("ck_claim_document_kind"),
        ),
        sa.CheckConstraint(
            "\"status\" = 'refuted' OR \"status\" = 'disputed' OR \"status\" = 'contested' OR \"status\" = 'unassessed' OR \"status\" = 'unconfirmed' OR \"status\" = 'supported' OR \"status\" = 'established'",
            name=op.f("ck_claim_document_status"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_document_claim"),
        sa.PrimaryKeyConstraint("claim", name="pk_claim_document"),
    )
    op.create_index("ix_claim_document_certainty_claim", "claim_document", ["certainty", "claim"])
    op.create_index(
        "ix_claim_document_certainty_rank_claim", "claim_document", ["certainty_rank", "claim"]
    )
    op.create_index(
        "ix_claim_document_evidence_count_claim", "claim_document", ["evidence_count", "claim"]
    )
    op.create_index(
        "ix_claim_document_evidence_level_claim", "claim_document", ["evidence_level", "claim"]
    )
    op.create_index("ix_claim_document_kind_claim", "claim_document", ["kind", "claim"])
    op.create_index("ix_claim_document_status_claim", "claim_document", ["status", "claim"])
    op.create_index(
        "ix_claim_document_status_rank_claim", "claim_document", ["status_rank", "claim"]
    )
    op.create_index("ix_claim_document_traits_claim", "claim_document", ["traits", "claim"])
    op.create_index("ix_claim_document_updated_claim", "claim_document", ["updated", "claim"])
    op.create_table(
        "claim_term",
        sa.Column("claim", text(), nullable=False),
        sa.Column("field", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        sa.Column("since", text(), nullable=False),
        sa.Column("traits", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_term_claim"),
        sa.PrimaryKeyConstraint("claim", "field", "value", name="pk_claim_term"),
    )
    op.create_index(
        "ix_claim_term_field_value_claim_traits",
        "claim_term",
        ["field", "value", "claim", "traits"],
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
            "\"certainty\" = 'very_low' OR \"certainty\" = 'low' OR \"certainty\" = 'moderate' OR \"certainty\" = 'high'",
            name=op.f("ck_status_period_certainty"),
        ),
        sa.CheckConstraint("ends > starts", name=op.f("ck_status_period_order")),
        sa.CheckConstraint(
            "\"status\" = 'refuted' OR \"status\" = 'disputed' OR \"status\" = 'contested' OR \"status\" = 'unassessed' OR \"status\" = 'unconfirmed' OR \"status\" = 'supported' OR \"status\" = 'established'",
            name=op.f("ck_status_period_status"),
        ),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_status_period_claim"),
        sa.PrimaryKeyConstraint("claim", "starts", name="pk_status_period"),
    )
    op.create_index(
        "ix_status_period_status_claim_starts_ends",
        "status_period",
        ["status", "claim", "starts", "ends"],
    )

"""What the rules need to know of evidence: gradings, what a review pools, effects as numbers, and
which sources are versions of one work; positions of bodies; more terms of several vocabularies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KINDS = (
    *("definition", "background", "history", "mechanism", "causal_hypothesis", "finding"),
    *("state_of_evidence", "evaluation", "reported_belief"),
)
NEW_KINDS = (*KINDS[:6], "association", "treatment_effect", "harm", *KINDS[6:])
RELATIONS = (
    *("leads_to", "depends_on", "presupposes", "contradicts", "rivals", "refines"),
    *("comments_on", "analogous_to", "names", "provenance_of"),
)
NEW_RELATIONS = (*RELATIONS, "predicts")
QUESTIONS = ("prevalence", "diagnosis", "prognosis", "treatment_benefit", "common_harms")
NEW_QUESTIONS = (*QUESTIONS, "aetiology", "mechanism")
DESIGNS = (
    *("systematic_review", "meta_analysis", "randomised_trial", "sham_controlled_trial"),
    *("open_label_trial", "cohort", "case_control", "cross_sectional", "case_series"),
    *("laboratory", "pathology", "content_analysis", "narrative_review", "hypothesis"),
    *("commentary", "regulatory_notice", "not_recorded", "not_applicable"),
)
# What the program before says of what has one of the new designs.
OLDER_DESIGNS = {
    "non_randomised_trial": "open_label_trial",
    "case_report": "case_series",
    "animal": "laboratory",
    "in_vitro": "laboratory",
    "guideline": "commentary",
    "drug_label": "regulatory_notice",
}
NEW_DESIGNS = (*DESIGNS, *OLDER_DESIGNS)
# The columns that are one of a vocabulary, and its terms before and after.
CHANGED = (
    ("claim", "kind", KINDS, NEW_KINDS),
    ("claim_document", "kind", KINDS, NEW_KINDS),
    ("claim_term", "kind", KINDS, NEW_KINDS),
    ("relation", "type", RELATIONS, NEW_RELATIONS),
    ("evidence", "relation_type", RELATIONS, NEW_RELATIONS),
    ("evidence", "question", QUESTIONS, NEW_QUESTIONS),
    ("evidence", "study_design", DESIGNS, NEW_DESIGNS),
    ("evidence_document", "question", QUESTIONS, NEW_QUESTIONS),
    ("evidence_document", "study_design", DESIGNS, NEW_DESIGNS),
    ("source", "study_design", DESIGNS, NEW_DESIGNS),
)
LISTS = {
    "evidence": ("graded_down", "graded_up", "pools", "effects", "groups"),
    "source": ("versions",),
}
ORIGINS = ("stated", "added")
LEANINGS = ("for", "against", "both", "none")
UNASSESSED_REASONS = (
    *("nothing_recorded", "searched_found_none", "only_inconclusive", "inconsistent"),
)
STANDING = ("claim_document", "status_period")
CHECKED_AGAINST = ("abstract", "full_text", "page")
TITLE_STATUSES = ("printed", "translated", "described")


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def terms(column: str, ids: Sequence[str]) -> str:
    """Return the condition that a column holds one of these terms."""
    return " OR ".join(f"\"{column}\" = '{each}'" for each in ids)


def upgrade() -> None:
    for table in dict.fromkeys(table for table, *_ in CHANGED):
        _check(table, {column: new for name, column, _, new in CHANGED if name == table})
    new_columns: dict[str, list[sa.Column[Any]]] = {
        "evidence": [
            sa.Column("risk_of_bias", sa.JSON(), nullable=True),
            sa.Column("studies", sa.Integer(), nullable=True),
            *(
                sa.Column(name, text(), nullable=True)
                for name in ("population", "exposure", "comparator", "outcome", "follow_up")
            ),
            sa.Column("checked_against", text(), nullable=True),
        ],
        "source": [
            sa.Column("title_status", text(), nullable=True),
            sa.Column("main_claim", text(), nullable=True),
        ],
    }
    for table, columns in new_columns.items():
        with op.batch_alter_table(table) as batch:
            for new_column in columns:
                batch.add_column(new_column)
            for name in LISTS[table]:
                batch.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
        with op.batch_alter_table(table) as batch:
            # Each new row names them.
            for name in LISTS[table]:
                batch.alter_column(name, server_default=None)
            if table == "evidence":
                batch.create_check_constraint(op.f("ck_evidence_studies"), "studies > 0")
                batch.create_check_constraint(
                    op.f("ck_evidence_checked_against"), terms("checked_against", CHECKED_AGAINST)
                )
            else:
                batch.create_check_constraint(
                    op.f("ck_source_title_status"), terms("title_status", TITLE_STATUSES)
                )
    with op.batch_alter_table("claim") as batch:
        batch.add_column(sa.Column("notice", text(), nullable=True))
        batch.add_column(sa.Column("origin", text(), nullable=False, server_default="stated"))
    with op.batch_alter_table("claim") as batch:
        batch.alter_column("origin", server_default=None)
        batch.create_check_constraint(op.f("ck_claim_origin"), terms("origin", ORIGINS))
    with op.batch_alter_table("assessment") as batch:
        batch.alter_column("status", existing_type=text(), nullable=True)
        for name in ("verdict", "jurisdiction"):
            batch.add_column(sa.Column(name, text(), nullable=True))
    _add_standing()
    op.create_index("ix_source_main_claim_id", "source", ["main_claim", "id"])
    op.create_table(
        "source_version",
        sa.Column("source", text(), nullable=False),
        sa.Column("other", text(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_source_version_source"),
        sa.PrimaryKeyConstraint("source", "other", name="pk_source_version"),
    )
    op.create_index("ix_source_version_other_source", "source_version", ["other", "source"])
    op.create_table(
        "pooled_source",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_pooled_source_claim"),
        sa.ForeignKeyConstraint(
            ["claim", "key"],
            ["evidence.claim", "evidence.key"],
            name="fk_pooled_source_claim_key",
        ),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_pooled_source_source"),
        sa.PrimaryKeyConstraint("claim", "key", "source", name="pk_pooled_source"),
    )
    op.create_index("ix_pooled_source_source_claim", "pooled_source", ["source", "claim"])


def _add_standing() -> None:
    """Add the columns of what follows from the evidence; the read model is derived anew."""
    for table in STANDING:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("leaning", text(), nullable=False, server_default="none"))
            batch.add_column(
                sa.Column(
                    "searched_found_none", sa.Boolean(), nullable=False, server_default=sa.false()
                )
            )
            batch.add_column(sa.Column("unassessed_because", text(), nullable=True))
        with op.batch_alter_table(table) as batch:
            for name in ("leaning", "searched_found_none"):
                batch.alter_column(name, server_default=None)
            batch.create_check_constraint(op.f(f"ck_{table}_leaning"), terms("leaning", LEANINGS))
            batch.create_check_constraint(
                op.f(f"ck_{table}_unassessed_because"),
                terms("unassessed_because", UNASSESSED_REASONS),
            )
    for name in ("leaning", "unassessed_because"):
        op.create_index(f"ix_claim_document_{name}_claim", "claim_document", [name, "claim"])


def _check(table: str, vocabularies: Mapping[str, Sequence[str]]) -> None:
    """Let each of these columns hold its terms and no others."""
    with op.batch_alter_table(table) as batch:
        for column, ids in vocabularies.items():
            batch.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
            batch.create_check_constraint(op.f(f"ck_{table}_{column}"), terms(column, ids))


def downgrade() -> None:
    op.drop_table("pooled_source")
    op.drop_table("source_version")
    op.drop_index("ix_source_main_claim_id", "source")
    with op.batch_alter_table("source") as batch:
        batch.drop_constraint(op.f("ck_source_title_status"), type_="check")
        for name in ("title_status", "main_claim", "versions"):
            batch.drop_column(name)
    # The older program has no such tie, and none that says the same.
    op.execute("DELETE FROM evidence WHERE relation_type = 'predicts'")
    op.execute("DELETE FROM relation WHERE type = 'predicts'")
    with op.batch_alter_table("evidence") as batch:
        for name in ("studies", "checked_against"):
            batch.drop_constraint(op.f(f"ck_evidence_{name}"), type_="check")
        for name in (
            *("risk_of_bias", "studies", "population", "exposure", "comparator", "outcome"),
            *("follow_up", "checked_against", *LISTS["evidence"]),
        ):
            batch.drop_column(name)
    _drop_standing()
    with op.batch_alter_table("claim") as batch:
        batch.drop_constraint(op.f("ck_claim_origin"), type_="check")
        for name in ("notice", "origin"):
            batch.drop_column(name)
    # A position without a status has no place there.
    op.execute("DELETE FROM assessment WHERE status IS NULL")
    with op.batch_alter_table("assessment") as batch:
        for name in ("verdict", "jurisdiction"):
            batch.drop_column(name)
        batch.alter_column("status", existing_type=text(), nullable=False)
    _write_older_terms()
    for table in dict.fromkeys(table for table, *_ in CHANGED):
        _check(table, {column: old for name, column, old, _ in CHANGED if name == table})


def _drop_standing() -> None:
    for name in ("leaning", "unassessed_because"):
        op.drop_index(f"ix_claim_document_{name}_claim", "claim_document")
    for table in STANDING:
        with op.batch_alter_table(table) as batch:
            for name in ("leaning", "unassessed_because"):
                batch.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
            for name in ("leaning", "searched_found_none", "unassessed_because"):
                batch.drop_column(name)


def _write_older_terms() -> None:
    """Write what comes nearest in the vocabularies of the older program."""
    older = "'association', 'treatment_effect', 'harm'"
    for table in ("claim", "claim_document", "claim_term"):
        op.execute(f"UPDATE {table} SET kind = 'finding' WHERE kind IN ({older})")  # noqa: S608
    for table in ("evidence", "evidence_document"):
        op.execute(  # A line without a question has no level there.
            f"UPDATE {table} SET question = NULL, level = 'not_gradable'"  # noqa: S608
            " WHERE question IN ('aetiology', 'mechanism')"
        )
    for design, older_design in OLDER_DESIGNS.items():
        for table in ("evidence", "evidence_document", "source"):
            op.execute(
                f"UPDATE {table} SET study_design = '{older_design}'"  # noqa: S608
                f" WHERE study_design = '{design}'"
            )

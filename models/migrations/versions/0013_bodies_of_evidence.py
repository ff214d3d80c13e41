"""What the rules need to know of evidence: gradings, what a review pools, effects as numbers, and
which sources are versions of one work; three kinds of claim and a type of relation more.
"""

from collections.abc import Sequence
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
# The columns that are one of a vocabulary, and its terms before and after.
CHANGED = (
    ("claim", "kind", KINDS, NEW_KINDS),
    ("claim_document", "kind", KINDS, NEW_KINDS),
    ("claim_term", "kind", KINDS, NEW_KINDS),
    ("relation", "type", RELATIONS, NEW_RELATIONS),
    ("evidence", "relation_type", RELATIONS, NEW_RELATIONS),
)
LISTS = {"evidence": ("graded_down", "graded_up", "pools"), "source": ("versions",)}
CHECKED_AGAINST = ("abstract", "full_text", "page")
TITLE_STATUSES = ("printed", "translated", "described")


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def terms(column: str, ids: Sequence[str]) -> str:
    """Return the condition that a column holds one of these terms."""
    return " OR ".join(f"\"{column}\" = '{each}'" for each in ids)


def upgrade() -> None:
    for table, column, _, new in CHANGED:
        _check(table, column, new)
    new_columns: dict[str, list[sa.Column[Any]]] = {
        "evidence": [
            *(sa.Column(name, sa.JSON(), nullable=True) for name in ("effect", "risk_of_bias")),
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


def _check(table: str, column: str, ids: Sequence[str]) -> None:
    """Let a column hold these terms and no others."""
    with op.batch_alter_table(table) as batch:
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
            *("effect", "risk_of_bias", "studies", "population", "exposure", "comparator"),
            *("outcome", "follow_up", "checked_against", *LISTS["evidence"]),
        ):
            batch.drop_column(name)
    older = "'association', 'treatment_effect', 'harm'"
    for table in ("claim", "claim_document", "claim_term"):
        op.execute(f"UPDATE {table} SET kind = 'finding' WHERE kind IN ({older})")  # noqa: S608
    for table, column, old, _ in CHANGED:
        _check(table, column, old)

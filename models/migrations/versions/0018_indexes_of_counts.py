"""Indexes that answer how many lines of evidence, and claims with such lines, there are of a sort.

And on PostgreSQL one of the words of labels alone: an index of weighted words does not hold the
weights, so that matches in labels were found by reading each match.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COUNTED = {
    "ix_evidence_document_counts": (
        *("level", "direction", "study_design", "directness", "question", "year"),
        *("sample_size", "on_relation", "published", "counts_until"),
    ),
    "ix_evidence_document_of_claim": (
        *("claim", "level", "direction", "study_design", "year", "on_relation", "published"),
        "counts_until",
    ),
}
SEARCH_TABLES = ("claim_search", "evidence_search", "source_search")


def on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def upgrade() -> None:
    for name, columns in COUNTED.items():
        op.create_index(name, "evidence_document", columns)
    if on_sqlite():
        return
    for name in SEARCH_TABLES:
        op.execute(
            f"ALTER TABLE {name} ADD COLUMN labels tsvector"
            " GENERATED ALWAYS AS (to_tsvector('simple', title)) STORED"
        )
        op.create_index(f"ix_{name}_labels", name, ["labels"], postgresql_using="gin")


def downgrade() -> None:
    for name in COUNTED:
        op.drop_index(name, "evidence_document")
    if on_sqlite():
        return
    for name in SEARCH_TABLES:
        op.drop_index(f"ix_{name}_labels", name)
        op.drop_column(name, "labels")

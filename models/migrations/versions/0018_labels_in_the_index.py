"""On PostgreSQL, an index of the words of labels alone.

An index of weighted words does not hold the weights, so that matches in labels were found by reading
each match.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

SEARCH_TABLES = ("claim_search", "evidence_search", "source_search")


def on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def upgrade() -> None:
    if on_sqlite():
        return
    for name in SEARCH_TABLES:
        op.execute(
            f"ALTER TABLE {name} ADD COLUMN labels tsvector"
            " GENERATED ALWAYS AS (to_tsvector('simple', title)) STORED"
        )
        op.create_index(f"ix_{name}_labels", name, ["labels"], postgresql_using="gin")


def downgrade() -> None:
    if on_sqlite():
        return
    for name in SEARCH_TABLES:
        op.drop_index(f"ix_{name}_labels", name)
        op.drop_column(name, "labels")

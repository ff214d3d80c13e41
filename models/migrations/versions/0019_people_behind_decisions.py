"""Whether two people stand behind a decision; a person's ORCID iD and conflict of interest."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OF_KEYS = ("orcid", "conflict_of_interest", "conflict_declared")


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    # A check within the column's own words needs no copy of the table on SQLite, and falls with it.
    collation = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(
        f"ALTER TABLE revision ADD COLUMN review VARCHAR{collation}"
        " CONSTRAINT ck_revision_review"
        " CHECK (\"review\" = 'two_people' OR \"review\" = 'one_person')"
    )
    # Until now nobody could decide on their own proposal.
    op.execute("UPDATE revision SET review = 'two_people' WHERE action IN ('accept', 'reject')")
    for name in OF_KEYS:
        op.add_column("api_key", sa.Column(name, text(), nullable=True))


def downgrade() -> None:
    for name in OF_KEYS:
        op.drop_column("api_key", name)
    with op.batch_alter_table("revision") as batch:
        batch.drop_constraint(op.f("ck_revision_review"), type_="check")
        batch.drop_column("review")

"""The root of a revision, in its key: the claim, or the record where it belongs to none. The time
of the last revision, beside its number.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KEY = "pk_revision"


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("revision", sa.Column("root", text(), nullable=True))
    op.execute("UPDATE revision SET root = coalesce(claim, record)")
    _change_key("record", "serial", "root", nullable=False)
    op.drop_index(op.f("ix_revision_claim_serial"), "revision")
    op.create_index(op.f("ix_revision_root_serial"), "revision", ["root", "serial"])
    op.add_column("serial", sa.Column("at", text(), nullable=True))
    op.execute(
        "UPDATE serial"
        " SET at = (SELECT revision.at FROM revision WHERE revision.serial = serial.value)"
    )


def _change_key(*columns: str, nullable: bool) -> None:
    with op.batch_alter_table("revision") as batch:
        batch.drop_constraint(KEY, type_="primary")
        batch.alter_column("root", existing_type=text(), nullable=nullable)
        batch.create_primary_key(KEY, list(columns))


def downgrade() -> None:
    op.drop_column("serial", "at")
    op.drop_index(op.f("ix_revision_root_serial"), "revision")
    op.create_index(op.f("ix_revision_claim_serial"), "revision", ["claim", "serial"])
    _change_key("record", "serial", nullable=True)
    with op.batch_alter_table("revision") as batch:
        batch.drop_column("root")

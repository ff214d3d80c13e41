"""When a source was seen, and when something was announced about it; by which rules the read model was derived."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (("source", "accessed"), ("source", "integrity_date"), ("serial", "derivation"))


def text(length: int | None = None) -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, text(), nullable=True))
    _restore()


def downgrade() -> None:
    for table, column in COLUMNS:
        op.drop_column(table, column)


def _restore() -> None:
    """Bring back what a downgrade took from the sources, as their last revisions have it."""
    connection = op.get_bind()
    revision = sa.table(
        "revision",
        sa.column("kind", sa.String()),
        sa.column("serial", sa.Integer()),
        sa.column("body", sa.JSON()),
    )
    source = sa.table(
        "source", *(sa.column(name, sa.String()) for name in ("id", "accessed", "integrity_date"))
    )
    recorded = (
        sa.select(revision.c.body).where(revision.c.kind == "source").order_by(revision.c.serial)
    )
    last = {body["id"]: body for body in connection.scalars(recorded)}
    for slug, body in last.items():
        taken = {name: body[name] for name in ("accessed", "integrity_date") if body.get(name)}
        if taken:
            connection.execute(sa.update(source).where(source.c.id == slug).values(taken))
